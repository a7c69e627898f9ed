"""`python -m raft_exp.report RUN [RUN ...]`: the report of a finished run again, or a comparison of several."""

from raft_exp.apps.report.main import main

if __name__ == "__main__":
    main()
