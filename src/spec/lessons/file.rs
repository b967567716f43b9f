//! `FD00xx`: the file and its YAML.

use super::{Lesson, error, told};
use crate::notation::code::Code;

pub(super) const LESSONS: &[Lesson] = &[
    told(
        Code::FileUnreadable,
        "The file is not there, is a folder or a device, or may not be read by whoever runs firedrill. Nothing in it \
         has been checked.",
        "firedrill check experiments/fail-over.yml     (the file is called fail-over.yaml)",
        "firedrill check experiments/fail-over.yaml",
    ),
    told(
        Code::TooMuch,
        "Reading is bounded, so that a file can never take the checker's memory or time: 1 MiB, 20000 values with \
         aliases counted as often as they are used, 32 levels, 64 aliases, 64 KiB for a variable's value. A drill fits \
         on a few pages: more is a wrong file, or aliases that multiply each other.",
        "a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, …]     (and so on: each line is ten times the one before)",
        "Write the values out, and split a long drill into several experiments.",
    ),
    told(
        Code::NotUtf8,
        "YAML is read as UTF-8. A byte that is not UTF-8 comes from an editor that saved the file as Latin-1 or UTF-16; \
         what it was meant to be cannot be known.",
        "A title with an `é` that was saved as the single byte 0xe9.",
        "The same file saved as UTF-8, where `é` is the two bytes 0xc3 0xa9.",
    ),
    told(
        Code::ControlCharacter,
        "A NUL byte, an escape or another control character cannot stand in a YAML file. It is invisible, and would \
         command the terminal of whoever prints the file.",
        "A title with a raw escape byte (0x1b), pasted from a coloured terminal.",
        "title: \"an escape is written as \\e\"     (within double quotes)",
    ),
    error(
        Code::EmptyFile,
        "There is nothing in the file, or only comments. `firedrill init` writes a first experiment.",
        "\n# to be written\n",
        "\nkind: Experiment\nname: example\nobjectives: { rto: 2m }\nprobes: { shop: { http: { url: http://shop.test/health } } }\ntargets: { web: { ec2.instance: { tags: { app: web } } } }\nsteps: [{ name: stop it, action: { ec2.stop_instances: { target: web } } }]\n",
    ),
    error(
        Code::YamlSyntax,
        "The text breaks YAML's own grammar, so that nothing after this place can be understood. What is wrong often \
         stands a little above: an indentation that does not fit, or a bracket too many.",
        "\ncontrols: [SOC2-A1.3]]\n",
        "\ncontrols: [SOC2-A1.3]\n",
    ),
    error(
        Code::TabIndentation,
        "YAML is indented with spaces only. A tab has no width that all editors agree on, so that YAML refuses it.",
        "\nobjectives:\n\trto: 2m\n",
        "\nobjectives:\n  rto: 2m\n",
    ),
    error(
        Code::UnquotedReference,
        "Within `{ … }` and `[ … ]` a brace begins or ends a mapping, also the one of `${name}`. Quotes make the value \
         text.",
        "\nvariables: { base: {} }\nprobes:\n  shop: { http: { url: ${base}/health } }\n",
        "\nvariables: { base: { default: http://shop.test } }\nprobes:\n  shop: { http: { url: \"${base}/health\" } }\n",
    ),
    error(
        Code::LeftOpen,
        "A colon followed by a space makes a key of what stands before it, so that plain text cannot hold one; and a \
         quote that is never closed takes the rest of the file for its text.",
        "\ntitle: The primary: lost and found\n",
        "\ntitle: \"The primary: lost and found\"\n",
    ),
    error(
        Code::SecondDocument,
        "`---` begins another YAML document. A file holds one experiment, so that its name, its checksum and its \
         history are those of one drill.",
        "\nkind: Experiment\nname: first\n---\nkind: Experiment\nname: second\n",
        "\nname: first\n",
    ),
    error(
        Code::DuplicateKey,
        "The same key stands twice in one mapping. YAML readers silently keep one of the two, and which one is a matter \
         of luck; a guardrail that is lost that way is found out during the drill.",
        "\nowner: payments-sre\nowner: orders-sre\n",
        "\nowner: payments-sre\n",
    ),
    error(
        Code::MergeKey,
        "`<<` merges keys from elsewhere into a mapping, so that a reader no longer sees what is run. What a drill breaks \
         is written out.",
        "\nobjectives:\n  <<: { rto: 2m }\n  availability: 95%\n",
        "\nobjectives:\n  rto: 2m\n  availability: 95%\n",
    ),
    error(
        Code::KeyNotPlain,
        "A key is plain text. A list or a mapping as a key, or a colon with no key before it, is mostly a stray bracket \
         or a missing quote.",
        "\nobjectives: { rto: 2m }\n? [owner]\n: payments-sre\n",
        "\nowner: payments-sre\n",
    ),
    error(
        Code::CustomTag,
        "A tag such as `!secret` tells other programs how to read a value. firedrill knows no tags: a secret is a \
         variable with `secret: true`.",
        "\nowner: !team payments\n",
        "\nowner: payments\n",
    ),
    error(
        Code::UnknownAnchor,
        "`*name` stands for what `&name` marked further up, and there is no such mark, or it is around the alias itself. \
         Text that starts with `*` needs quotes.",
        "\ntitle: *very* important\n",
        "\ntitle: \"*very* important\"\n",
    ),
    told(
        Code::NoExperimentHere,
        "The folder was to be run or planned, and holds no file of `kind: Experiment`. A drill that is not there must not \
         look like one that passed.",
        "firedrill run drills/     (the files are in experiments/)",
        "firedrill run experiments/",
    ),
];
