from raft_exp.core.processes import stoppable

with stoppable():
    from raft_exp.apps.cli import main

    main()
