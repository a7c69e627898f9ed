"""`python -m raft_exp.paper [SETTING ...]`: runs all studies of the paper, and makes one page of their results."""

if __name__ == "__main__":
    from raft_exp.core.processes import stoppable

    with stoppable():
        from raft_exp.apps.paper.main import main

        main()
