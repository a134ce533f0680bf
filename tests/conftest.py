"""What every test shares: nothing yet but the asyncio mode set in pyproject."""
