"""`python -m raft_exp.publish RUN [RUN ...] NNN_name`: a folder under experiments/ made of finished runs."""

from raft_exp.apps.publish import main

if __name__ == "__main__":
    main()
