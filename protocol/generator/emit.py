"""Writes C++ from the model: a header of plain structs per file, and sources that hold the field
tables and instantiate the codec. What the result looks like: generator/testdata/."""

from model import NEVER, SCALARS

KEYWORDS = {"default", "delete", "operator", "class", "namespace", "new", "register", "template", "union"}
MARK = "// Generated from {} by protocol/generator/generate.py; edit the schema, not this.\n"


class Emitter:
    def __init__(self, namespace, include):
        self.namespace = namespace
        self.include = include

    # ---- headers

    def header(self, file):
        out = [MARK.format(file.path), "#pragma once\n\n", "#include <cstdint>\n", "#include <optional>\n"]
        out += ["#include <string>\n", "#include <string_view>\n", "#include <vector>\n\n"]
        out += ['#include "base/bytes.h"\n', '#include "base/uuid.h"\n']
        out += ['#include "protocol/field.h"\n', '#include "protocol/records_field.h"\n']
        out += ['#include "protocol/unknown_tags.h"\n\n']
        out += [f"namespace chronik::{self.namespace} {{\n\n"]
        responses_first = sorted(file.messages, key=lambda m: m.kind == "request")
        for message in responses_first:
            out += self.message(message) + ["\n"]
        out.append(f"}}  // namespace chronik::{self.namespace}\n")
        return "".join(out)

    def message(self, message):
        late = self.late_defaults(message)
        out = [f"/// {message.comment}\n"] if message.comment else []
        out.append(f"struct {message.name} {{\n")
        out += self.constants(message)
        for struct in message.structs.values():
            out.append(f"  struct {struct.name} {{\n")
            if struct.name in late:
                out.append(f"    {struct.name}();\n")
            out += self.members(message, struct, "    ") + ["  };\n\n"]
        out += self.members(message, message.root, "  ") + ["};\n"]
        for name in late:
            out.append(f"inline {message.name}::{name}::{name}() = default;\n")
        return out

    def late_defaults(self, message):
        """Structs within an optional: whether they can be constructed is asked while the enclosing
        struct is still open, so their constructor is declared at once and defined behind it."""
        everywhere = [*message.structs.values(), message.root]
        return sorted({f.type for s in everywhere for f in s.fields
                       if f.is_struct and not f.array and f.nullable})

    def constants(self, message):
        out = []
        if message.kind == "request":
            out.append(f"  using Response = {message.name.removesuffix('Request')}Response;\n")
        out.append(f'  static constexpr std::string_view message_name = "{message.name}";\n')
        key = "record_type" if message.kind == "record" else "api_key"
        if message.key is not None:
            out.append(f"  static constexpr std::int16_t {key} = {message.key};\n")
        out.append(f"  static constexpr std::int16_t min_version = {message.versions.first};\n")
        out.append(f"  static constexpr std::int16_t max_version = {message.versions.last};\n")
        out.append(f"  static constexpr std::int16_t first_flexible = {self.flexible(message)};\n\n")
        return out

    def flexible(self, message):
        return "protocol::never_flexible" if message.flexible == NEVER else str(message.flexible)

    def members(self, message, struct, indent):
        out = []
        for field in struct.fields:
            notes = [field.comment] if field.comment else []
            if field.versions.first != message.versions.first or field.versions.last != message.versions.last:
                notes.append(f"v{field.versions.first}-{field.versions.last}")
            note = f"  // {'; '.join(notes)}" if notes else ""
            out.append(f"{indent}{self.type(field)} {self.cpp_name(field)}{self.initial(field)};{note}\n")
        out.append(f"{indent}protocol::UnknownTags unknown_tags{{}};\n\n")
        out.append(f"{indent}bool operator==(const {struct.name}&) const = default;\n")
        return out

    def cpp_name(self, field):
        return field.name + "_" if field.name in KEYWORDS else field.name

    def type(self, field):
        inner = field.type if field.is_struct else SCALARS[field.type][0]
        if inner == "RecordsField":
            return "protocol::RecordsField"
        if field.array:
            inner = f"std::vector<{inner}>"
        return f"std::optional<{inner}>" if field.nullable else inner

    def initial(self, field):
        if field.type == "records":
            return ""
        if field.nullable:
            # Null is the default only where the schema says so; else it is an empty value.
            return "" if field.default == "null" else " = " + self.type(field)[14:-1] + "()"
        if field.array or field.is_struct or field.type in ("string", "bytes", "uuid"):
            # Who fills a struct in by its fields may leave out those that came later.
            return "" if field.tag is None else "{}"
        if field.type == "bool":
            return " = true" if field.default else " = false"
        if field.type == "float64":
            return " = 0"
        return f" = {self.number(field.default or 0)}"

    def number(self, value):
        if value == -(2**31):
            return "-2147483647 - 1"
        if value == -(2**63):
            return "-9223372036854775807 - 1"
        return str(value)

    # ---- sources

    def source(self, files):
        out = [MARK.format(f"{len(files)} schema files")]
        out += [f'#include "{self.include}/{f.folder}/{f.stem}.h"\n' for f in files]
        out += ['#include "protocol/generated.h"\n\n', "namespace chronik::protocol {\n\n"]
        for file in files:
            for message in file.messages:
                name = f"{self.namespace}::{message.name}"
                for struct in message.structs.values():
                    out += self.table(message, struct, f"{name}::{struct.name}")
                out += self.table(message, message.root, name)
        # Templates are instantiated in their own namespace, whatever the messages' is.
        out += [f"CHRONIK_INSTANTIATE_MESSAGE({self.namespace}::{m.name})\n" for f in files for m in f.messages]
        out += ["\n}  // namespace chronik::protocol\n\n", f"namespace chronik::{self.namespace} {{\n\n"]
        out += [f"using namespace protocol;  // NOLINT\n\n"] if self.namespace != "protocol" else []
        for file in files:
            for message in file.messages:
                out.append(self.catalog_entry(message))
        out.append(f"\n}}  // namespace chronik::{self.namespace}\n")
        return "".join(out)

    def table(self, message, struct, name):
        rows = [f"      {{{self.row(f)}}},\n" for f in struct.fields]
        has_tags = "true" if any(f.tag is not None for f in struct.fields) else "false"
        return [
            f"template <>\nstruct Fields<{name}> {{\n",
            f"  static constexpr std::array<Field, {len(rows)}> table{{{{\n" if rows else
            "  static constexpr std::array<Field, 0> table{",
            *rows,
            "  }};\n" if rows else "};\n",
            f"  static constexpr bool has_tags = {has_tags};\n",
            f"  static constexpr std::uint32_t min_size = {message.min_size(struct)};\n",
            "  template <class V, class M>\n",
            f"  static void visit({'V& v, M& m' if rows else 'V&, M&'}) {{\n",
            *[f"    v(m.{self.cpp_name(f)}, table[{i}]);\n" for i, f in enumerate(struct.fields)],
            "  }\n};\n\n",
        ]

    def row(self, field):
        parts = [f'.name = "{field.json_name}"', f".first = {field.versions.first}",
                 f".last = {field.versions.last}"]
        if field.nullable:
            parts += [f".null_first = {field.nullable.first}", f".null_last = {field.nullable.last}"]
        if field.tag is not None:
            parts.append(f".tag = {field.tag}")
        if field.lossy:
            parts.append(".lossy = true")
        if field.default == "null":
            parts.append(".default_null = true")
        elif field.default is not None:
            parts.append(f".default_number = {self.number(int(field.default))}")
        return ", ".join(parts)

    def catalog_entry(self, message):
        unstable = "never_flexible" if message.unstable is None else message.unstable
        key = -1 if message.key is None else message.key
        return (f"extern const MessageType catalog_{message.name};\n"
                f"constinit const MessageType catalog_{message.name}{{\"{message.name}\", "
                f"MessageKind::{message.kind}, {key}, {message.versions.first}, {message.versions.last}, "
                f"{self.flexible(message)}, {unstable}, RecordFraming::{message.framing}, "
                f"&make_message<{message.name}>}};\n")

    def api_row(self, message):
        last = message.versions.last
        stable = last if message.unstable is None else message.unstable - 1
        name = message.name.removesuffix("Request")
        return (f'{{{message.key}, "{name}", {message.versions.first}, {last}, {stable}, '
                f"{self.flexible(message)}}}")

    def catalog(self, files):
        names = [m.name for f in files for m in f.messages]
        out = [MARK.format("the schema"), '#include "protocol/api_keys.h"\n']
        out += ['#include "protocol/catalog.h"\n\n']
        out += [f"namespace chronik::{self.namespace} {{\n\n", "using protocol::MessageType;\n\n"]
        out += [f"extern const MessageType catalog_{n};\n" for n in names]
        out += ["\nstd::span<const MessageType* const> message_types() {\n"]
        out += ["  static constexpr const MessageType* types[] = {\n"]
        out += [f"      &catalog_{n},\n" for n in names] + ["  };\n  return types;\n}\n\n"]
        requests = sorted((m for f in files for m in f.messages if m.kind == "request"), key=lambda m: m.key)
        if requests:
            out += ["std::span<const protocol::ApiInfo> api_table() {\n"]
            out += ["  static constexpr protocol::ApiInfo apis[] = {\n"]
            out += [f"      {self.api_row(m)},\n" for m in requests] + ["  };\n  return apis;\n}\n\n"]
        out.append(f"}}  // namespace chronik::{self.namespace}\n")
        return "".join(out)
