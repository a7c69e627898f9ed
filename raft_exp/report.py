"""`python -m raft_exp.report RUN [RUN ...]`: the report of a finished run again, or a comparison of several."""

if __name__ == "__main__":
    from raft_exp.core.processes import stoppable

    with stoppable():
        from raft_exp.apps.report.main import main

        main()
