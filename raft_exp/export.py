"""`python -m raft_exp.export RUN out=DIR`: the model of a finished run as a folder for other tools."""

from raft_exp.apps.export.main import main

if __name__ == "__main__":
    main()
