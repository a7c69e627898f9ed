"""`python -m raft_exp.ask RUN ["question"]`: asks a finished run about its documents."""

if __name__ == "__main__":
    from raft_exp.core.processes import stoppable

    with stoppable():
        from raft_exp.apps.ask.main import main

        main()
