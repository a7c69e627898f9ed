"""`python -m raft_exp.plan RUN|SETTING ...`: what a study will need and what it will be able to tell."""

if __name__ == "__main__":
    from raft_exp.core.processes import stoppable

    with stoppable():
        from raft_exp.apps.plan.main import main

        main()
