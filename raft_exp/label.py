"""`python -m raft_exp.label RUN n=100`: writes a sheet in which people label replies that a judge judged."""

if __name__ == "__main__":
    from raft_exp.core.processes import stoppable

    with stoppable():
        from raft_exp.apps.label.main import main

        main()
