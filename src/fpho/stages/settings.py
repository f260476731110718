"""Stage `settings`: the configuration as used, beside the results."""

from ..config import Config, dump_config
from ..files import write_text
from ..layout import Layout


def run(config: Config, layout: Layout) -> None:
    """Write `layout.config` (YAML) and `layout.config_json`, every option present."""
    write_text(layout.config, dump_config(config), seal=True)
    write_text(layout.config_json, config.model_dump_json(indent=2) + "\n", seal=True)
