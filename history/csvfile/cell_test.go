package csvfile

import "testing"

func TestCell(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "web": "web", "shop/web": "shop/web", `{a="=1"}`: `{a="=1"}`, "2026": "2026", "a=b": "a=b", "日本": "日本",
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", " =1": "' =1",
		"\r\n=1": "'\r\n=1", "＝1": "'＝1", "--from is late": "'--from is late", "\xff=1": "\xff=1",
	} {
		if got := Cell(text); got != want {
			t.Errorf("Cell(%q) = %q, want %q", text, got, want)
		}
	}
}
