package csvfile

import (
	"strings"
	"unicode/utf8"
)

// Cell returns a text as a cell of a CSV file that a person may open in a spreadsheet. A text that
// begins as a formula does gets an apostrophe before it: names of series come from elsewhere, and a
// spreadsheet would run them. Some spreadsheets skip blanks, and know the wide forms of the signs.
func Cell(text string) string {
	const signs = "=+-@＝＋－＠"
	first, _ := utf8.DecodeRuneInString(strings.TrimSpace(text))
	if first != utf8.RuneError && strings.ContainsRune(signs, first) {
		return "'" + text
	}
	return text
}
