"""YAML as `fpho` takes it: plain values, no key twice, no structure that grows without end."""

import yaml

from ..errors import InputError

_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # the same text, sooner
LARGEST = 100_000  # nodes of a configuration, aliases written out


class _Loader(yaml.SafeLoader):
    """Refuses keys that stand twice, which YAML would take the last of, and endless aliases."""

    def get_single_node(self):
        node = super().get_single_node()
        if node is not None and _size(node, {}) > LARGEST:
            raise yaml.YAMLError(f"aliases that write out to more than {LARGEST} values")
        return node

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            line = node.start_mark.line + 1
            raise yaml.YAMLError(f"{twice[0]!r} stands twice in the section that begins in line {line}")
        return super().construct_mapping(node, deep)


def dump(tree: dict) -> str:
    """Plain values as YAML, in their order."""
    return yaml.dump(tree, Dumper=_DUMPER, sort_keys=False)


def _size(node, known: dict[int, float]) -> float:
    """Values that a node writes out to; infinite where it holds itself."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = float("inf")
        pairs = isinstance(node, yaml.MappingNode)
        children = [child for pair in node.value for child in pair] if pairs else node.value
        known[id(node)] = 1 + sum(_size(child, known) for child in children)
    return known[id(node)]


def parse(text: str, where):
    """The value of a YAML text.

    Raises
    ------
    InputError
        If it is no valid YAML, has a key twice, or is nested too deeply.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(where, f"not valid YAML ({reason})", "Mend the syntax at that line") from None
    except RecursionError:
        raise InputError(where, "YAML nested too deeply", "Write sections and options only") from None
