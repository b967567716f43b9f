//! A calibration as people read it.

use super::compare::{Calibration, Lags, Row};

/// The table and what it means.
pub fn text(calibration: &Calibration) -> String {
    let mut text = format!(
        "every {} ms, deadline {} ms, {} connections, seed {}\n\n",
        millis(calibration.every),
        millis(calibration.timeout),
        calibration.connection,
        calibration.seed
    );
    let head = [
        "mode",
        "outages",
        "seen",
        "outage/blips",
        "begin",
        "end",
        "duration",
        "width p50/max",
        "promised",
        "bias",
        "false",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(calibration.modes.iter().map(cells));
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for row in &rows {
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            match index {
                0 => text.push_str(&format!("{cell:<width$}")),
                _ => text.push_str(&format!("  {cell:>width$}")),
            }
        }
        text.push('\n');
    }
    text.push_str(
        "\nbegin, end, duration: of the outages called such, how often the truth was within. Times in ms.\n",
    );
    let disturbed: usize = calibration.modes.iter().map(|row| row.disturbed).sum();
    if disturbed > 0 {
        text.push_str(&format!(
            "{disturbed} outages are left out: the server that plays them got no processor itself then.\n"
        ));
    }
    text.push_str(&format!("\nsamples sent late  {}\n", lags(calibration.lag)));
    text.push_str(&format!("a bare thread      {}\n", lags(calibration.floor)));
    text.push_str(&stalls(calibration));
    text.push_str(&format!(
        "\nWith this spacing this machine can decide an RTO target of {} ms or more.\n",
        millis(calibration.decides)
    ));
    for offence in &calibration.offences {
        text.push_str(&format!("\n{}: {}\n", offence.mode.name(), offence.what));
        for sample in &offence.samples {
            text.push_str(&format!("  {sample}\n"));
        }
    }
    text.push_str(if calibration.holds {
        "\nEvery outage was seen, and every truth was within its interval.\n"
    } else {
        "\nThe measuring did not hold: see above.\n"
    });
    text
}

fn cells(row: &Row) -> Vec<String> {
    let seen = row.as_outage + row.as_blips;
    let share = if row.outages == 0 { 0.0 } else { 100.0 * seen as f64 / row.outages as f64 };
    let inside = |inside: usize| format!("{inside}/{}", row.as_outage);
    let measured = |value: Option<f64>| value.map_or("-".to_owned(), millis);
    vec![
        row.mode.name().to_owned(),
        row.outages.to_string(),
        format!("{share:.0}%"),
        format!("{}/{}", row.as_outage, row.as_blips),
        inside(row.begin_inside),
        inside(row.end_inside),
        inside(row.duration_inside),
        format!("{}/{}", measured(row.width_p50), measured(row.width_max)),
        measured(row.promised),
        measured(row.bias),
        row.false_outages.to_string(),
    ]
}

fn lags(lags: Lags) -> String {
    format!(
        "p50 {} ms, p99 {} ms, p99.9 {} ms, max {} ms",
        millis(lags.p50),
        millis(lags.p99),
        millis(lags.p999),
        millis(lags.max)
    )
}

fn stalls(calibration: &Calibration) -> String {
    match calibration.stalls.as_slice() {
        [] => "The prober was never stalled.\n".to_owned(),
        stalls => stalls.iter().fold(String::new(), |text, stall| {
            let length = millis(stall.to - stall.from);
            text + &format!(
                "stalled for {length} ms at {:.3} s (noticed by the {})\n",
                stall.from, stall.witness
            )
        }),
    }
}

/// Milliseconds with as many decimals as say something.
fn millis(seconds: f64) -> String {
    let millis = seconds * 1e3;
    match millis.abs() {
        value if value >= 100.0 => format!("{millis:.0}"),
        value if value >= 10.0 => format!("{millis:.1}"),
        _ => format!("{millis:.2}"),
    }
}
