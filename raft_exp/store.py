"""`python -m raft_exp.store ls|prune|verify|repair`: what the store holds, and room when it is full."""

from raft_exp.apps.store import main

if __name__ == "__main__":
    main()
