"""What a .msg file says: messages, structs, fields. parse.py fills it, emit.py writes C++ from it."""

from dataclasses import dataclass, field as dataclass_field

NEVER = 32767  # first flexible version of a message that has none

# wire type -> (C++ type, smallest encoding in bytes, in flexible versions and before)
SCALARS = {
    "bool": ("bool", 1, 1),
    "int8": ("std::int8_t", 1, 1),
    "int16": ("std::int16_t", 2, 2),
    "int32": ("std::int32_t", 4, 4),
    "int64": ("std::int64_t", 8, 8),
    "uint16": ("std::uint16_t", 2, 2),
    "uint32": ("std::uint32_t", 4, 4),
    "float64": ("double", 8, 8),
    "uuid": ("Uuid", 16, 16),
    "string": ("std::string", 1, 2),
    "bytes": ("Bytes", 1, 4),
    "records": ("RecordsField", 1, 4),
}
INTEGER_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64, "uint16": 16, "uint32": 32}
NULLABLE_SCALARS = ("string", "bytes", "records")


@dataclass
class Range:
    """Versions first..last, both included."""

    first: int
    last: int

    def covers(self, other):
        return self.first <= other.first and other.last <= self.last

    def __contains__(self, version):
        return self.first <= version <= self.last

    def __iter__(self):
        return iter(range(self.first, self.last + 1))


@dataclass
class Field:
    name: str
    type: str  # a key of SCALARS or the name of a struct
    array: bool
    nullable: Range | None
    versions: Range
    default: object  # None: the type's zero; "null"; a bool; an int
    tag: int | None
    lossy: bool
    comment: str
    line: int

    @property
    def json_name(self):
        head, *rest = self.name.split("_")
        return head + "".join(word[:1].upper() + word[1:] for word in rest)

    @property
    def is_struct(self):
        return self.type not in SCALARS

    def min_size(self, structs, version, flexible):
        """The least bytes this field takes in `version`; the bound of a declared count rests on it."""
        if version not in self.versions or self.tag is not None:
            return 0
        if self.array:
            return 1 if flexible else 4
        if self.is_struct:
            if self.nullable is not None and version in self.nullable:
                return 1
            return structs[self.type].min_size(structs, version, flexible)
        return SCALARS[self.type][1 if flexible else 2]


@dataclass
class Struct:
    name: str
    fields: list = dataclass_field(default_factory=list)

    def min_size(self, structs, version, flexible):
        own = sum(f.min_size(structs, version, flexible) for f in self.fields)
        return own + (1 if flexible else 0)


@dataclass
class Message:
    name: str
    kind: str  # request, response, record
    key: int | None  # api key, or the type number of a record
    versions: Range
    flexible: int
    unstable: int | None  # first version whose layout may still change
    framing: str  # records only: what stands before the body where it is stored
    comment: str
    root: Struct
    structs: dict  # name -> Struct, inner ones first

    def min_size(self, struct):
        """Least size of `struct` over all versions (never 0: a count must cost something)."""
        sizes = [
            struct.min_size(self.structs, v, v >= self.flexible)
            for v in self.versions
        ]
        return max(1, min(sizes))


@dataclass
class File:
    path: str
    stem: str  # name of the generated header
    folder: str  # messages or records
    messages: list


def snake_case(name):
    out = ""
    for i, c in enumerate(name):
        if c.isupper() and i > 0:
            after_lower = not name[i - 1].isupper()
            before_lower = i + 1 < len(name) and name[i + 1].islower()
            if after_lower or before_lower:
                out += "_"
        out += c.lower()
    return out
