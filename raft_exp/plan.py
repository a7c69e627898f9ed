"""`python -m raft_exp.plan RUN|SETTING ...`: what a study will need and what it will be able to tell."""

from raft_exp.apps.plan.main import main

if __name__ == "__main__":
    main()
