"""`python -m raft_exp.report RUN [RUN ...]`: makes the report of one run again, or compares several runs."""

if __name__ == "__main__":
    from raft_exp.core.processes import stoppable

    with stoppable():
        from raft_exp.apps.report.main import main

        main()
