from raft_exp.apps.cli import main

main()
