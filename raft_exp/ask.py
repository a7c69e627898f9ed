"""`python -m raft_exp.ask RUN ["question"]`: asks a finished run about its documents."""

from raft_exp.apps.ask.main import main

if __name__ == "__main__":
    main()
