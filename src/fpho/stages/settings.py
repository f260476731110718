"""Stage `settings`: the configuration as used, beside the results."""

import json

from ..config.yaml_text import dump
from ..files import write_text
from ..layout import Layout


def run(config: dict, layout: Layout) -> None:
    """Write `layout.config` (YAML) and `layout.config_json`, every option present."""
    write_text(layout.config, dump(config), seal=True)
    write_text(layout.config_json, json.dumps(config, indent=2, ensure_ascii=False) + "\n", seal=True)
