"""`python -m raft_exp.store ls|prune|verify|repair`: what the store holds, and room when it is full."""

if __name__ == "__main__":
    from raft_exp.core.processes import stoppable

    with stoppable():
        from raft_exp.apps.store import main

        main()
