"""The web framework as the applications here use it: bodies are msgspec Structs, other models are unknown to it."""

from __future__ import annotations

from litestar import Litestar
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin


class MsgspecLitestar(Litestar):
    """Litestar without its plugins for the models of Pydantic and attrs.

    Litestar adds both wherever the libraries are installed, as they are beside Dagster; every process would load
    them at its start, and no handler here takes or returns such a model.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        # There is no public switch. Should the framework rename this method, a test says so and starts are slower.
        return [*plugins, MsgspecDIPlugin()]
