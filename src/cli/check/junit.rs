//! Problems as JUnit XML: a test case for each file, failed when the file is wrong.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::notation::diagnostic::{Located, count};
use crate::report::facts::clean_lines;
use crate::spec::Diagnostics;

/// The files as test cases. With `denied`, warnings fail a file too.
pub(super) fn xml(sheets: &[Diagnostics], denied: bool) -> std::io::Result<String> {
    let mut suite = TestSuite::new("firedrill check");
    for sheet in sheets {
        suite.add_test_case(case(sheet, denied));
    }
    let mut report = Report::new("firedrill");
    report.add_test_suite(suite);
    report.to_string().map_err(std::io::Error::other)
}

fn case(sheet: &Diagnostics, denied: bool) -> TestCase {
    let located = sheet.located();
    let (errors, warnings) = sheet.sheet().counts();
    let drawn = clean_lines(&sheet.render(false));
    let wrong = errors > 0 || (denied && warnings > 0);
    let status = if wrong {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        let said = match errors {
            0 => format!("{}, and warnings are denied", count(warnings, "warning")),
            _ => count(errors, "error"),
        };
        status.set_type(codes(&located, errors == 0)).set_message(said).set_description(drawn.as_str());
        status
    } else {
        TestCaseStatus::success()
    };
    let mut case = TestCase::new(clean_lines(&sheet.path), status);
    case.set_classname("firedrill.check");
    if !wrong && warnings > 0 {
        case.set_system_out(drawn.as_str());
    }
    case
}

/// The codes of a file's errors, or of its warnings, each once.
fn codes(located: &[Located], warnings: bool) -> String {
    let meant = if warnings { "warning" } else { "error" };
    let mut codes: Vec<String> =
        located.iter().filter(|at| at.severity == meant).map(|at| at.code.to_string()).collect();
    codes.sort();
    codes.dedup();
    codes.join(" ")
}
