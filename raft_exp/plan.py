"""`python -m raft_exp.plan RUN|SETTING ...`: prints what a study needs, and how small a difference it can detect."""

if __name__ == "__main__":
    from raft_exp.core.processes import stoppable

    with stoppable():
        from raft_exp.apps.plan.main import main

        main()
