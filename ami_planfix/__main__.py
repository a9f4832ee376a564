"""`python -m ami_planfix` is `ami-planfix`."""

from ami_planfix.cli.main import main

main()
