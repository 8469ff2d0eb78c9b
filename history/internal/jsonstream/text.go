package jsonstream

import (
	"unicode/utf16"
	"unicode/utf8"
)

// String reads a string.
func (d *Decoder) String() (string, error) {
	b, err := d.Bytes()
	return string(b), err
}

// Bytes reads a string. The result is valid until the next call. Text that is not UTF-8 is kept as
// it is.
func (d *Decoder) Bytes() ([]byte, error) {
	if err := d.expect('"'); err != nil {
		return nil, err
	}
	d.text = d.text[:0]
	for {
		c, err := d.in.ReadByte()
		switch {
		case err != nil:
			return nil, ended(err)
		case c == '"':
			return d.text, nil
		case c < ' ':
			return nil, syntax("a control character in a string")
		case c == '\\':
			err = d.escape()
		default:
			d.text = append(d.text, c)
		}
		if err != nil {
			return nil, err
		}
		if len(d.text) > MaxText {
			return nil, ErrTooLong
		}
	}
}

// escapes are the characters that a backslash and a letter stand for.
var escapes = map[byte]byte{ //nolint:gochecknoglobals // a constant
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// escape reads what follows a backslash.
func (d *Decoder) escape() error {
	c, err := d.in.ReadByte()
	if err != nil {
		return ended(err)
	}
	if c != 'u' {
		plain, ok := escapes[c]
		if !ok {
			return syntax("the escape \\%c", c)
		}
		d.text = append(d.text, plain)
		return nil
	}
	first, err := d.hex()
	if err != nil {
		return err
	}
	if !utf16.IsSurrogate(first) {
		d.text = utf8.AppendRune(d.text, first)
		return nil
	}
	if next, err := d.in.Peek(2); err != nil || next[0] != '\\' || next[1] != 'u' {
		d.text = utf8.AppendRune(d.text, utf8.RuneError)
		return nil //nolint:nilerr // half a pair; the end of the stream is seen by the next read
	}
	_, _ = d.in.Discard(2)
	second, err := d.hex()
	if err != nil {
		return err
	}
	d.text = utf8.AppendRune(d.text, utf16.DecodeRune(first, second))
	return nil
}

// hex reads the four digits of an escape.
func (d *Decoder) hex() (rune, error) {
	var r rune
	for range 4 {
		c, err := d.in.ReadByte()
		if err != nil {
			return 0, ended(err)
		}
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, syntax("an escape with the digit %q", c)
		}
	}
	return r, nil
}

// skipString reads a string of any length, and keeps nothing of it.
func (d *Decoder) skipString() error {
	if err := d.expect('"'); err != nil {
		return err
	}
	for {
		c, err := d.in.ReadByte()
		if err == nil && c == '\\' {
			_, err = d.in.ReadByte() // the digits of \u are no end of a string
		} else if err == nil && c == '"' {
			return nil
		}
		if err != nil {
			return ended(err)
		}
	}
}
