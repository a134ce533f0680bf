"""``python -m player_sdk.cli``."""

import sys

from player_sdk.cli import main

sys.exit(main())
