//! The stable codes of problems: `FD0101` is an unknown key, today and in every later version.
//!
//! A code is a promise: it never changes its meaning, one that is given up is never used again, and a new mistake
//! gets a new number. So a build's log, an ignored alert and a question to a colleague can go by the code. The
//! hundreds say where to look:
//!
//! | codes | about |
//! |---|---|
//! | `FD00xx` | the file and its YAML |
//! | `FD01xx` | keys, types and values |
//! | `FD02xx` | names and references: variables, targets, probes, steps, AWS's own names |
//! | `FD03xx` | steps and their order |
//! | `FD04xx` | objectives and measuring |
//! | `FD05xx` | guardrails and safety |
//! | `FD06xx` | the project file |
//! | `FD07xx` | game days |
//!
//! Only the numbers and titles are here, since everything that reads files reports with them. What a code means, with
//! a wrong and a right example, is told by whoever knows the language (`spec::lessons`).

use std::fmt;

macro_rules! codes {
    ($( $name:ident = $number:literal, $title:literal; )*) => {
        /// What kind of mistake a problem is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Code { $( #[doc = $title] $name = $number, )* }

        impl Code {
            /// Every code, in the order of the numbers.
            pub const ALL: &'static [Code] = &[$( Code::$name ),*];

            /// The mistake in a few words, such as `unknown key`.
            pub fn title(self) -> &'static str {
                match self { $( Code::$name => $title, )* }
            }

            /// The mistake as one word, such as `UnknownKey`.
            pub fn name(self) -> &'static str {
                match self { $( Code::$name => stringify!($name), )* }
            }
        }
    };
}

// Numbers are never reused, and never change their meaning.
codes! {
    FileUnreadable = 1, "the file cannot be read";
    TooMuch = 2, "more than a drill can need: too long, too deep or too many";
    NotUtf8 = 3, "the file is not UTF-8";
    ControlCharacter = 4, "a control character in the file";
    EmptyFile = 5, "the file is empty";
    YamlSyntax = 6, "the text is not YAML";
    TabIndentation = 7, "a tab where YAML wants spaces";
    UnquotedReference = 8, "a `${…}` inside `{ … }` without quotes";
    LeftOpen = 9, "a quote or a bracket left open, or a `: ` in plain text";
    SecondDocument = 10, "a second document in the file";
    DuplicateKey = 11, "a key given twice";
    MergeKey = 12, "a merge key (`<<`)";
    KeyNotPlain = 13, "a key that is not plain text";
    CustomTag = 14, "a YAML tag of one's own";
    UnknownAnchor = 15, "an alias that refers to nothing";
    NoExperimentHere = 16, "a folder without an experiment";

    UnknownKey = 101, "unknown key";
    MissingKey = 102, "a key is missing";
    NoValue = 103, "a key without a value";
    WrongShape = 104, "a list, a mapping or a single value in place of another";
    NotABoolean = 105, "neither true nor false";
    NotANumber = 106, "not a number that fits here";
    NotADuration = 107, "not a duration";
    NoUnit = 108, "a duration without a unit";
    NotAPercentage = 109, "not a percentage";
    UnknownWord = 110, "not one of the known words";
    NotExactlyOne = 111, "not exactly one alternative";
    NotAUrl = 112, "not a usable URL";
    NotAnAddress = 113, "not a usable address";
    NotADsn = 114, "not a usable DSN";
    UnknownPercentile = 115, "not a known percentile";
    NotAList = 116, "a command line where a list is expected";
    NoProgram = 117, "no program to run";
    EmptyList = 118, "a list that names nothing";
    ItemTwice = 119, "an item named twice";
    MissingKind = 120, "a file that does not say its kind";
    UnknownKind = 121, "an unknown kind of file";
    NotAnExperiment = 122, "not an experiment";
    NotYet = 123, "not supported by this version";
    NotAnArgument = 124, "a value that is not of the form expected here";
    ZeroTime = 125, "a time of zero where something needs time";
    NotForeign = 126, "not a file of the tool that it is imported from";

    UnknownVariable = 201, "an unknown variable";
    VariableInItself = 202, "a variable that refers to itself";
    ReferenceLeftOpen = 203, "a `${` without its `}`";
    UnknownSource = 204, "a reference to an unknown source";
    NoValueGiven = 205, "a variable without a value";
    EnvironmentVariable = 206, "an environment variable that is not set";
    FileReference = 207, "a `${file:…}` that cannot be read";
    UnknownTarget = 208, "an unknown target";
    UnknownProbe = 209, "an unknown probe";
    UnknownStep = 210, "an unknown step";
    UnknownAction = 211, "an unknown action";
    UnknownProbeKind = 212, "an unknown kind of probe";
    UnknownTargetKind = 213, "an unknown kind of target";
    NotAName = 214, "not a name";
    NotAnExperimentName = 215, "not an experiment's name";
    NotAStepName = 216, "not a step's name";
    UnusedVariable = 217, "a variable that is never used";
    UnusedTarget = 218, "a target that is never used";
    WrongTargetKind = 219, "a target of the wrong kind for the action";
    ResourceId = 220, "not an id of this kind of resource";
    Arn = 221, "not an ARN of this service";
    HostedZone = 222, "neither a hosted zone's id nor its name";
    AvailabilityZone = 223, "not an Availability Zone";
    UnknownRunbook = 224, "an unknown runbook";
    NotARunbook = 225, "a file that is no runbook";
    RunbookWrong = 226, "a runbook that is not right itself";
    UnknownOutput = 227, "an unknown output";

    NothingDone = 301, "a step that does nothing";
    TwoThingsDone = 302, "a step that does two things";
    StepTwice = 303, "two steps of the same name";
    WaitsForItself = 304, "a step that waits for itself";
    Cycle = 305, "steps that wait for each other";
    NoFault = 306, "a drill that breaks nothing";
    MeasuredFromWait = 307, "an RTO that counts from a wait";
    UndoOfUndo = 308, "an undo with an undo of its own";
    LedgerVerifies = 309, "a ledger that verifies a step";
    FlipToNowhere = 310, "a record flipped to nothing";
    FlipTwoWays = 311, "a record flipped in two ways at once";
    UpdateOfNothing = 312, "a service updated in nothing";
    BackupRetention = 313, "a backup retention that RDS does not have";
    ProgramNotFound = 314, "a program that is not on this machine";
    RecordValue = 315, "a value that the record's type cannot hold";
    NotASentence = 316, "a text for people that is empty or too long";
    NotARole = 317, "not a role";
    NobodyDecides = 318, "an approval that nobody can give";
    RunbookInItself = 319, "a runbook that runs itself";
    MisplacedKey = 320, "a key that this kind of step does not take";
    NoStep = 321, "a runbook without a step";
    CommandLine = 322, "a command line that its program does not take";
    ActionDoesThis = 323, "a command that an action does, and measures";
    OutputHere = 324, "an output where nothing has run yet";
    OutputTwice = 325, "two outputs of the same name";
    OutputTooEarly = 326, "an output that may not be there yet";
    ForPeople = 327, "a part of a procedure that only people can do";
    ShellWord = 328, "a word that only a shell understands";
    OfAnSlo = 329, "a part of an SLO that a drill does not hold";

    Undecided = 401, "an objective that no probe can decide";
    RtoNobodyHit = 402, "an RTO where no probe may be hit";
    RpoUndecided = 403, "an RPO without a ledger";
    DetectionUndecided = 404, "a detection without an alarm";
    NoObjective = 405, "a drill without an objective";
    MissedBefore = 406, "an objective above the steady state";
    NoBudget = 407, "an SLO that leaves no error budget";
    SliceTooShort = 408, "a time slice that is too short";
    HangUnseen = 409, "a probe that does not see a short hang";
    RtoTooFine = 410, "an RTO finer than the probe can tell";
    RpoTooFine = 411, "an RPO finer than the ledger can tell";
    DetectionTooFine = 412, "a detection finer than the alarms are looked at";
    LedgerUnjudged = 413, "a ledger that no RPO judges";
    AskedTooOften = 414, "a probe asked too often";
    TooManyPrograms = 415, "a probe with too many programs at once";
    NothingWatched = 416, "no time to show that the service is well";
    LooksTooShort = 417, "a drill that stops looking before the RTO is over";
    AlarmUnnamed = 418, "an alarm without a name";
    AlarmTwice = 419, "an alarm named twice";
    AlarmArn = 420, "an alarm's ARN in place of its name";
    TwoProbeKinds = 421, "a probe of two kinds";
    NoProbeKind = 422, "a probe without a kind";
    TtlTooLong = 423, "a TTL longer than the RTO";

    NoCondition = 501, "a guardrail without a condition";
    TwoGuardrails = 502, "two guardrails in one entry";
    StopsTooEarly = 503, "a guardrail that stops before the RTO is over";
    UndoTooLong = 504, "an undo that leaves no time for the run";
    NeverTrips = 505, "a guardrail that can never trip";
    WindowTooShort = 506, "a guardrail's window with too few samples";
    NoBound = 507, "a Prometheus guardrail without a bound";
    AlarmStopsAndExpected = 508, "an alarm that is expected and stops the run";
    Irreversible = 509, "an action that cannot be undone";
    Password = 510, "a password in the file";
    SelectsAll = 511, "a target that selects everything";
    RoleWithoutCluster = 512, "a role without its cluster";
    RunTooShort = 513, "a run that is stopped before its steps may end";
    RunCannotEnd = 514, "a run that is always stopped before its end";
    AccessKey = 515, "an AWS access key in the file";
    NoUndo = 516, "a program that nothing undoes";

    LabDeclared = 601, "an environment called `lab`";
    UnknownEnvironment = 602, "an unknown environment";
    AccountId = 603, "not an AWS account id";
    WindowNeverOpens = 604, "a window that never opens";
    OptInForAll = 605, "an opt-in that allows everything";
    LimitOutOfRange = 606, "a limit that is no limit, or refuses every drill";
    FreezeBackwards = 607, "a freeze that ends before it begins";
    NotATimeZone = 608, "not a time zone";
    NotADate = 609, "not a date";
    NotATimeOfDay = 610, "not a time of day";
    RegionName = 611, "not the name of an AWS region";

    NoDrill = 701, "a game day without a drill";
    UnknownExperiment = 702, "an unknown experiment";
    FileNotAnExperiment = 703, "a file that is no experiment";
    ExperimentWrong = 704, "an experiment that is not right itself";
    DrillOutside = 705, "a drill from outside of the project";
    DrillTwice = 706, "a drill that is held twice alike";
    DrillNowhere = 707, "a drill without an environment";
    NotADay = 708, "not a day of a schedule";
    DayDoesNotFit = 709, "a day that does not fit its period";
    ClocksSkip = 710, "a time that the clocks leave out";
    FreezesOverlap = 711, "freezes that overlap";
    YearFrozen = 712, "a year without a game day";
    DayTooShort = 713, "a game day shorter than its drills";
    DayMayBeTooShort = 714, "a game day shorter than its drills may take";
    ParticipantTwice = 715, "a participant named twice";
    RoleNobodyHas = 716, "a role that no participant has";
    StepForNobody = 717, "a step for a role that no participant has";
    IdleParticipant = 718, "a participant whom nothing asks for";
    NoGoNoGo = 719, "a game day without a go/no-go";
    NobodyTold = 720, "a game day that nobody is told of";
    NotAMoment = 721, "not a time of a game day";
    NeverHappens = 722, "a time of a game day that never comes";
}

impl Code {
    /// Its number, from 1 to 9999.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// The code that people wrote: `FD0101`, `fd101` or `101`. `None` when there is no such code.
    pub fn read(text: &str) -> Option<Code> {
        let text = text.trim();
        let digits = match text.get(..2) {
            Some(letters) if letters.eq_ignore_ascii_case("fd") => text.get(2..)?,
            _ => text,
        };
        let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: u16 = digits.parse().ok().filter(|_| all_digits)?;
        Code::ALL.iter().copied().find(|code| code.number() == number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("FD{:04}", self.number()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_sorted_and_each_has_a_title_of_its_own() {
        assert!(Code::ALL.windows(2).all(|pair| pair[0].number() < pair[1].number()));
        let titles: HashSet<&str> = Code::ALL.iter().map(|code| code.title()).collect();
        assert_eq!(titles.len(), Code::ALL.len());
    }

    /// What has once been given out stays as it is: a new code gets a line of its own here, and no line is ever changed.
    #[test]
    fn codes_never_change_their_meaning() {
        let now: Vec<String> = Code::ALL.iter().map(|code| format!("{code} {}", code.name())).collect();
        assert_eq!(now, include_str!("codes.txt").lines().collect::<Vec<_>>());
    }

    #[test]
    fn a_code_is_read_as_people_write_it() {
        for text in ["FD0101", "fd0101", "Fd101", " 101 ", "0101"] {
            assert_eq!(Code::read(text), Some(Code::UnknownKey), "{text}");
        }
        for text in ["FD0100", "FD", "", "+101", "E0101", "FD99999", "é1"] {
            assert_eq!(Code::read(text), None, "{text}");
        }
        assert_eq!(Code::UnknownKey.to_string(), "FD0101");
    }
}
