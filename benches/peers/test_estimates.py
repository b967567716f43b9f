"""The estimates and the matching, on histories whose truth is plain: `python3 -m unittest discover benches/peers`."""

import unittest

import cost
import outages
from common import percentile
from watchers import gaps, runs_of_failures


def truth(*spans):
    return [{"down": [begin, begin], "up": [end, end]} for begin, end in spans]


def cell(true, found, starved=()):
    return {"truth": true, "outages": found, "starved": list(starved)}


class Estimates(unittest.TestCase):
    def test_a_run_of_failures_is_one_outage_up_to_the_next_success(self):
        checks = [(1, True), (2, False), (3, False), (4, True), (5, False)]
        found = runs_of_failures(checks)
        self.assertEqual([(one["begin"], one["length"]) for one in found], [(2, 2), (5, None)])

    def test_a_gap_between_successes_counts_from_three_spacings(self):
        found = gaps([0.0, 0.1, 0.2, 0.49, 1.5, 1.6], 0.1)
        self.assertEqual([round(one["length"], 6) for one in found], [0.91])

    def test_percentiles_are_values_that_occurred(self):
        self.assertEqual([percentile([3, 1, 2, 4], share) for share in (0.5, 0.75, 0.99)], [2, 3, 4])
        self.assertIsNone(percentile([], 0.5))

    def test_a_slope_is_in_units_per_second(self):
        self.assertAlmostEqual(cost.slope([(0, 1.0), (10, 6.0), (20, 11.0)]), 0.5)


class Matching(unittest.TestCase):
    def test_an_interval_that_holds_the_truth_is_inside_and_one_that_does_not_is_not(self):
        for lo, hi, inside in [(0.9, 1.1, 1), (1.05, 1.2, 0)]:
            found = [{"begin": 10.01, "end": 11.02, "length": 1.0, "lo": lo, "hi": hi}]
            self.assertEqual(outages.judged([cell(truth((10, 11)), found)])["inside"], inside)

    def test_one_that_is_stretched_over_two_is_seen_in_both_and_has_one_length(self):
        found = [{"begin": 10.0, "end": 14.0, "length": 4.0}]
        judged = outages.judged([cell(truth((10, 11), (13, 14)), found)])
        self.assertEqual((judged["seen"], judged["with_length"], judged["bias"]), (2, 1, 3.0))

    def test_what_was_not_there_is_false_unless_the_server_was_starved(self):
        found = [{"begin": 11.9, "end": 12.0, "length": 0.1}]
        true = truth((10, 10.1), (15, 15.1))
        self.assertEqual(outages.judged([cell(true, found)])["false"], 1)
        self.assertEqual(outages.judged([cell(true, found, [(11.8, 12.1)])])["false"], 0)

    def test_a_tool_that_saw_nothing_has_no_error_and_not_0(self):
        judged = outages.judged([cell(truth((10, 11)), [])])
        self.assertEqual((judged["n"], judged["seen"], judged["bias"]), (1, 0, None))


if __name__ == "__main__":
    unittest.main()
