"""`python -m raft_exp.publish RUN [RUN ...] NNN_name`: makes a folder in experiments/ from finished runs."""

if __name__ == "__main__":
    from raft_exp.core.processes import stoppable

    with stoppable():
        from raft_exp.apps.publish import main

        main()
