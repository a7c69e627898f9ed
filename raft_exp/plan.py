"""`python -m raft_exp.plan RUN|SETTING ...`: says what a study needs, and which differences its test can find."""

if __name__ == "__main__":
    from raft_exp.core.processes import stoppable

    with stoppable():
        from raft_exp.apps.plan.main import main

        main()
