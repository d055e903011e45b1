"""Says of CBOR messages whether they are what a CDDL file allows (RFC 8610).

It knows nothing of nextfs. The rules come as the syntax tree that the npm
package `cddl` makes of a file, the messages as hex; Debian's cbor2 decodes
them. Only those parts of the language are known that are implemented here, in
full; any other is an error, and nothing is ever accepted for being unknown.

Reads one line of JSON from standard input, the rules:
    [rule, ...]
and then one for each message, until the end:
    {"rule": name, "message": hex}
Writes one line for each message: null, or in JSON why it is not allowed.
"""

import io
import json
import sys

import cbor2

PRELUDE = {
    "int": lambda value: type(value) is int and -(2**64) <= value < 2**64,
    "uint": lambda value: type(value) is int and 0 <= value < 2**64,
    "bool": lambda value: type(value) is bool,
    "null": lambda value: value is None,
    "nil": lambda value: value is None,
    "bstr": lambda value: type(value) is bytes,
    "bytes": lambda value: type(value) is bytes,
    "tstr": lambda value: type(value) is str,
    "text": lambda value: type(value) is str,
}


class Unknown(Exception):
    """A part of the language that is not implemented here."""


class Mismatch(Exception):
    """Why a value is not of a type."""


def size_in_bytes(value):
    """What .size counts of a string (RFC 8610, section 3.8.1)."""
    return len(value.encode()) if type(value) is str else len(value)


def same(value, literal):
    """True and 1 are equal in Python, and not in CBOR."""
    return type(value) is type(literal) and value == literal


class Rules:
    """The rules of one file."""

    def __init__(self, tree):
        self.rules = {}
        for rule in tree:
            if rule["Name"] in self.rules or rule.get("IsChoiceAddition"):
                raise Unknown(f"a second rule {rule['Name']}")
            self.rules[rule["Name"]] = rule
        for rule in tree:
            self.check_references(rule)

    def check_references(self, tree):
        """Every name that is used must be defined, used or not in a match."""
        if isinstance(tree, list):
            for one in tree:
                self.check_references(one)
        elif isinstance(tree, dict):
            if tree.get("Type") == "group" and "Value" in tree:
                self.rule(tree["Value"])
            for one in tree.values():
                self.check_references(one)

    def rule(self, name):
        """The rule of this name, which must exist."""
        if name not in self.rules:
            raise Unknown(f"no rule {name}")
        return self.rules[name]

    def check(self, name, value):
        """Raises Mismatch unless `value` is what the rule says."""
        rule = self.rule(name)
        if rule["Type"] == "variable":
            self.check_choice(rule["PropertyType"], value)
        elif rule["Type"] == "array":
            self.check_array(rule["Values"], value)
        else:
            raise Unknown(f"{name} is no type: {rule['Type']}")

    def check_choice(self, types, value):
        """Raises Mismatch unless one of the types fits."""
        reasons = []
        for one in types if isinstance(types, list) else [types]:
            try:
                return self.check_type(one, value)
            except Mismatch as reason:
                reasons.append(str(reason))
        raise Mismatch(max(reasons, key=len) if reasons else "no type")

    def check_type(self, kind, value):
        """Raises Mismatch unless `value` is of one type."""
        if isinstance(kind, str):
            if kind not in PRELUDE:
                raise Unknown(f"the type {kind}")
            if not PRELUDE[kind](value):
                raise Mismatch(f"{value!r:.80} is no {kind}")
            return
        form = kind["Type"]
        if form == "group" and set(kind) <= {"Type", "Value", "Unwrapped"}:
            self.check(kind["Value"], value)
        elif form == "literal":
            if not same(value, kind["Value"]):
                raise Mismatch(f"{value!r:.80} is not {kind['Value']}")
        elif form == "range":
            low, high = self.range(kind)
            if type(value) is not int or not low <= value <= high:
                raise Mismatch(f"{value!r:.80} is not in {low}..{high}")
        elif form in PRELUDE and "Operator" in kind:
            self.check_type(form, value)
            self.check_size(kind["Operator"], value)
        elif form == "array":
            self.check_array(kind["Values"], value)
        else:
            raise Unknown(f"the form {json.dumps(kind):.200}")

    @staticmethod
    def range(kind):
        """Both ends of an inclusive range of integers."""
        value = kind["Value"]
        ends = [value["Min"], value["Max"]]
        if not value["Inclusive"] or any(
            end["Type"] != "literal" or type(end["Value"]) is not int
            for end in ends
        ):
            raise Unknown(f"the range {json.dumps(kind):.200}")
        return [end["Value"] for end in ends]

    def check_size(self, operator, value):
        """The control operator .size, of strings."""
        if operator["Type"] != "size" or type(value) not in (bytes, str):
            raise Unknown(f"the operator {operator['Type']}")
        size = size_in_bytes(value)
        self.check_type(operator["Value"], size)

    def check_array(self, entries, value):
        """Raises Mismatch unless the entries match the whole array."""
        if type(value) is not list:
            raise Mismatch(f"{value!r:.80} is no array")
        end = self.match_entries(entries, value, 0)
        if end < len(value):
            raise Mismatch(f"{len(value) - end} items too many")

    def match_entries(self, entries, items, at):
        """Matches entries from `at` on, each as often as it can (RFC 8610,
        appendix A); returns where the items behind them begin."""
        for entry in entries:
            if not isinstance(entry, dict):
                raise Unknown("a choice of groups")
            low, high = entry["Occurrence"]["n"], entry["Occurrence"]["m"]
            count = 0
            while high is None or count < high:
                try:
                    at = self.match_entry(entry, items, at)
                except Mismatch:
                    if count < low:
                        raise
                    break
                count += 1
        return at

    def match_entry(self, entry, items, at):
        """Matches one entry once: a group that is named, or one item."""
        types = entry["Type"]
        types = types if isinstance(types, list) else [types]
        if len(types) == 1 and isinstance(types[0], dict):
            if types[0]["Type"] == "group" and not entry["Name"]:
                rule = self.rule(types[0]["Value"])
                if rule["Type"] == "group":
                    return self.match_entries(rule["Properties"], items, at)
        if at >= len(items):
            raise Mismatch(f"{entry['Name'] or 'an item'} is missing")
        try:
            self.check_choice(types, items[at])
        except Mismatch as reason:
            raise Mismatch(f"{entry['Name']}: {reason}") from None
        return at + 1


def decode(message):
    """The one item that the bytes are."""
    stream = io.BytesIO(message)
    item = cbor2.CBORDecoder(stream).decode()
    if stream.tell() != len(message):
        raise Mismatch("bytes follow the item")
    return item


def verdict(rules, rule, message):
    """None, or why the bytes are not one item of the rule's type."""
    try:
        rules.check(rule, decode(message))
    except Mismatch as reason:
        return str(reason) or "it differs"
    except (cbor2.CBORDecodeError, ValueError) as reason:
        return f"not CBOR: {reason}"
    return None


def main():
    """See the module."""
    rules = Rules(json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        request = json.loads(line)
        message = bytes.fromhex(request["message"])
        print(json.dumps(verdict(rules, request["rule"], message)))


if __name__ == "__main__":
    main()
