"""`python -m raft_exp.store ls|prune|verify|repair`: lists, removes and checks the results in the store."""

if __name__ == "__main__":
    from raft_exp.core.processes import stoppable

    with stoppable():
        from raft_exp.apps.store import main

        main()
