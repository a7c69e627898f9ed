"""`python -m raft_exp.export RUN out=DIR`: writes the model of a finished run as a folder for other tools."""

if __name__ == "__main__":
    from raft_exp.core.processes import stoppable

    with stoppable():
        from raft_exp.apps.export.main import main

        main()
