"""The stages of the asset graph, one package each; `build_defs(settings)` is the door of every one."""
