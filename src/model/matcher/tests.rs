//! Agreement with Alertmanager: what each text means, and what is said about it.
//!
//! Every text of the table was given to `amtool check-config` and `amtool config routes show`, whose classic reading is
//! the one here. The UTF-8 readings follow the grammar of Alertmanager 0.27.

use super::*;
use crate::model::label::Labels;
use Reading::{Disagreement, Fallback, Plain, Refused};
use proptest::prelude::*;

/// What a text gives: the matchers as they are printed, or the refusal.
enum Reading {
    /// Without a warning.
    Plain(&'static str),
    /// Only the classic grammar reads it.
    Fallback(&'static str),
    /// The classic reading, which counts, and the UTF-8 one.
    Disagreement(&'static str, &'static str),
    /// Neither reads it.
    Refused(&'static str),
}

#[rustfmt::skip]
const READINGS: &[(&str, Reading)] = &[
    ("", Plain("")),
    ("{}", Plain("")),
    ("{", Fallback("")),
    ("}", Fallback("")),
    ("{{}}", Refused("bad matcher format: {} (unexpected {: expected label name)")),
    ("{{", Refused("bad matcher format: { (unexpected {: expected label name)")),
    ("}}", Refused("bad matcher format: } (unexpected }: expected opening brace)")),
    ("{ }", Plain("")),
    (",", Refused("bad matcher format:  (unexpected ,: expected label name)")),
    ("{,}", Refused("bad matcher format:  (unexpected ,: expected label name)")),
    (",,", Refused("bad matcher format:  (unexpected ,: expected label name)")),
    ("foo", Refused("bad matcher format: foo (end of input: expected an operator such as '=', '!=', '=~' or '!~')")),
    ("foo=", Fallback(r#"foo="""#)),
    ("=bar", Refused("bad matcher format: =bar (unexpected =: expected label name)")),
    ("=", Refused("bad matcher format: = (unexpected =: expected label name)")),
    ("foo=bar", Plain(r#"foo="bar""#)),
    ("foo!=bar", Plain(r#"foo!="bar""#)),
    ("foo=~bar", Plain(r#"foo=~"bar""#)),
    ("foo!~bar", Plain(r#"foo!~"bar""#)),
    (r#"foo="bar""#, Plain(r#"foo="bar""#)),
    (r#"foo!="bar""#, Plain(r#"foo!="bar""#)),
    (r#"foo=~"bar""#, Plain(r#"foo=~"bar""#)),
    (r#"foo!~"bar""#, Plain(r#"foo!~"bar""#)),
    ("{foo=bar}", Plain(r#"foo="bar""#)),
    (r#"{foo="bar"}"#, Plain(r#"foo="bar""#)),
    (r#"{foo!="bar"}"#, Plain(r#"foo!="bar""#)),
    (r#"{foo=~"bar.*"}"#, Plain(r#"foo=~"bar.*""#)),
    (r#"{foo!~"bar.*"}"#, Plain(r#"foo!~"bar.*""#)),
    ("{foo=bar", Fallback(r#"foo="bar""#)),
    ("foo=bar}", Fallback(r#"foo="bar""#)),
    ("{{foo=bar}", Refused("bad matcher format: {foo=bar (unexpected {: expected label name)")),
    ("{foo=bar}}", Fallback(r#"foo="bar}""#)),
    ("{{foo=bar}}", Refused("bad matcher format: {foo=bar} (unexpected {: expected label name)")),
    (r#"{"foo"="bar"}"#, Plain(r#"foo="bar""#)),
    (r#""foo"="bar""#, Plain(r#"foo="bar""#)),
    (r#""foo"=bar"#, Plain(r#"foo="bar""#)),
    ("foo=bar,", Plain(r#"foo="bar""#)),
    ("foo=bar,,", Refused("bad matcher format:  (unexpected ,: expected a matcher or close brace after comma)")),
    (",foo=bar", Refused("bad matcher format:  (unexpected ,: expected label name)")),
    ("{foo=bar,}", Plain(r#"foo="bar""#)),
    ("{,foo=bar}", Refused("bad matcher format:  (unexpected ,: expected label name)")),
    ("{foo=bar,,}", Refused("bad matcher format:  (unexpected ,: expected a matcher or close brace after comma)")),
    ("{foo=bar},", Fallback(r#"foo="bar}""#)),
    ("foo=bar,baz=qux", Plain(r#"foo="bar",baz="qux""#)),
    ("foo=bar, baz=qux", Plain(r#"foo="bar",baz="qux""#)),
    ("foo=bar ,baz=qux", Plain(r#"foo="bar",baz="qux""#)),
    ("foo = bar , baz = qux", Plain(r#"foo="bar",baz="qux""#)),
    ("{foo=bar,baz=qux}", Plain(r#"foo="bar",baz="qux""#)),
    (r#"{foo="bar",baz="qux"}"#, Plain(r#"foo="bar",baz="qux""#)),
    (r#"{ foo = "bar" , baz != "qux" }"#, Plain(r#"foo="bar",baz!="qux""#)),
    ("{foo=bar,baz=qux,}", Plain(r#"foo="bar",baz="qux""#)),
    ("{foo=bar baz=qux}", Fallback(r#"foo="bar baz=qux""#)),
    ("foo=bar baz=qux", Fallback(r#"foo="bar baz=qux""#)),
    ("foo=bar,,baz=qux", Refused("bad matcher format:  (unexpected ,: expected a matcher or close brace after comma)")),
    (r#"foo="bar",baz=~"q.*x",zip!~"z|y""#, Plain(r#"foo="bar",baz=~"q.*x",zip!~"z|y""#)),
    ("foo=bar,foo=bar", Plain(r#"foo="bar",foo="bar""#)),
    ("foo=bar,foo=baz", Plain(r#"foo="bar",foo="baz""#)),
    (" foo=bar", Plain(r#"foo="bar""#)),
    ("foo=bar ", Plain(r#"foo="bar""#)),
    ("  foo  =  bar  ", Plain(r#"foo="bar""#)),
    ("\tfoo\t=\tbar\t", Plain(r#"foo="bar""#)),
    ("foo =bar", Plain(r#"foo="bar""#)),
    ("foo= bar", Plain(r#"foo="bar""#)),
    (r#"foo= "bar""#, Plain(r#"foo="bar""#)),
    (r#"foo="bar" "#, Plain(r#"foo="bar""#)),
    (r#"foo=" bar ""#, Plain(r#"foo=" bar ""#)),
    (r#"foo="bar baz""#, Plain(r#"foo="bar baz""#)),
    ("foo=bar baz", Fallback(r#"foo="bar baz""#)),
    ("foo = bar baz", Fallback(r#"foo="bar baz""#)),
    ("foo=~bar baz", Fallback(r#"foo=~"bar baz""#)),
    ("foo=bar  baz", Fallback(r#"foo="bar  baz""#)),
    (r#"foo="""#, Plain(r#"foo="""#)),
    (r#"foo!="""#, Plain(r#"foo!="""#)),
    (r#"foo=~"""#, Plain(r#"foo=~"""#)),
    (r#"foo!~"""#, Plain(r#"foo!~"""#)),
    (r#"foo=~".*""#, Plain(r#"foo=~".*""#)),
    (r#"foo=~".+""#, Plain(r#"foo=~".+""#)),
    (r#"foo!~".+""#, Plain(r#"foo!~".+""#)),
    ("foo=~", Fallback(r#"foo=~"""#)),
    ("foo!=", Fallback(r#"foo!="""#)),
    ("foo!~", Fallback(r#"foo!~"""#)),
    ("foo= ,bar=baz", Fallback(r#"foo="",bar="baz""#)),
    ("foo=,bar=baz", Fallback(r#"foo="",bar="baz""#)),
    ("foo=bar,baz=", Fallback(r#"foo="bar",baz="""#)),
    ("{foo=}", Fallback(r#"foo="""#)),
    ("{foo=,bar=x}", Fallback(r#"foo="",bar="x""#)),
    ("foo!", Refused("bad matcher format: foo! (!: expected one of '=~' after '!')")),
    ("!foo", Refused("bad matcher format: !foo (!: expected one of '=~' after '!')")),
    ("foo!bar", Refused("bad matcher format: foo!bar (!: expected one of '=~' after '!')")),
    ("foo~bar", Refused("bad matcher format: foo~bar (~: invalid input)")),
    ("foo~=bar", Refused("bad matcher format: foo~=bar (~: invalid input)")),
    ("foo==bar", Fallback(r#"foo="=bar""#)),
    ("foo===bar", Fallback(r#"foo="==bar""#)),
    ("foo=!bar", Fallback(r#"foo="!bar""#)),
    ("foo=!=bar", Fallback(r#"foo="!=bar""#)),
    ("foo=~=bar", Fallback(r#"foo=~"=bar""#)),
    ("foo=~~bar", Fallback(r#"foo=~"~bar""#)),
    ("foo!==bar", Fallback(r#"foo!="=bar""#)),
    ("foo!=~bar", Fallback(r#"foo!="~bar""#)),
    ("foo!!=bar", Refused("bad matcher format: foo!!=bar (!: expected one of '=~' after '!')")),
    ("foo!~~bar", Fallback(r#"foo!~"~bar""#)),
    ("foo!~=bar", Fallback(r#"foo!~"=bar""#)),
    ("foo=~!bar", Fallback(r#"foo=~"!bar""#)),
    ("foo ! = bar", Refused("bad matcher format: foo ! = bar (!: expected one of '=~' after '!')")),
    ("foo = ~bar", Fallback(r#"foo="~bar""#)),
    ("foo= ~bar", Fallback(r#"foo="~bar""#)),
    ("foo=~ bar", Plain(r#"foo=~"bar""#)),
    (r#""foo"#, Refused(r#"bad matcher format: "foo ("foo: missing end ")"#)),
    (r#""foo""#, Refused(r#"bad matcher format: "foo" (end of input: expected an operator such as '=', '!=', '=~' or '!~')"#)),
    (r#""foo"="#, Refused(r#"bad matcher format: "foo"= (end of input: expected label value)"#)),
    (r#"foo=""#, Refused(r#"matcher value contains unescaped double quote: " (": missing end ")"#)),
    (r#"foo="bar"#, Refused(r#"matcher value contains unescaped double quote: "bar ("bar: missing end ")"#)),
    (r#"foo=bar""#, Refused(r#"matcher value contains unescaped double quote: bar" (": missing end ")"#)),
    (r#"foo="bar"baz"#, Refused(r#"matcher value contains unescaped double quote: "bar"baz (unexpected baz: expected a comma or close brace)"#)),
    (r#"foo="bar" baz"#, Refused(r#"matcher value contains unescaped double quote: "bar" baz (unexpected baz: expected a comma or close brace)"#)),
    (r#"foo=b"a"r"#, Refused(r#"matcher value contains unescaped double quote: b"a"r (unexpected "a": expected a comma or close brace)"#)),
    (r#"foo=ba"r"#, Refused(r#"matcher value contains unescaped double quote: ba"r ("r: missing end ")"#)),
    (r#"foo="ba"r""#, Refused(r#"matcher value contains unescaped double quote: "ba"r" (unexpected r: expected a comma or close brace)"#)),
    (r#"foo=""""#, Refused(r#"matcher value contains unescaped double quote: """ (": missing end ")"#)),
    (r#"foo="""""#, Refused(r#"matcher value contains unescaped double quote: """" (unexpected "": expected a comma or close brace)"#)),
    (r#"foo="bar"""#, Refused(r#"matcher value contains unescaped double quote: "bar"" (": missing end ")"#)),
    (r#"foo=""bar"#, Refused(r#"matcher value contains unescaped double quote: ""bar (unexpected bar: expected a comma or close brace)"#)),
    ("foo=''", Fallback(r#"foo="''""#)),
    ("foo='bar'", Fallback(r#"foo="'bar'""#)),
    ("'foo'='bar'", Refused("bad matcher format: 'foo'='bar' (': invalid input)")),
    ("foo=`bar`", Fallback(r#"foo="`bar`""#)),
    ("foo=b'ar", Fallback(r#"foo="b'ar""#)),
    ("foo=it's", Fallback(r#"foo="it's""#)),
    ("foo=b`ar", Fallback(r#"foo="b`ar""#)),
    (r"foo=\", Fallback(r#"foo="\\""#)),
    (r"foo=b\ar", Fallback(r#"foo="b\\ar""#)),
    (r"foo=bar\", Fallback(r#"foo="bar\\""#)),
    (r#"foo=\"bar\""#, Fallback(r#"foo="\"bar\"""#)),
    (r#"foo="\"bar\"""#, Plain(r#"foo="\"bar\"""#)),
    (r#"foo="ba\"r""#, Plain(r#"foo="ba\"r""#)),
    (r#"foo="bar\""#, Refused(r#"matcher value contains unescaped double quote: "bar\" ("bar\": missing end ")"#)),
    (r#"foo="bar\\""#, Plain(r#"foo="bar\\""#)),
    (r#"foo="bar\\\""#, Refused(r#"matcher value contains unescaped double quote: "bar\\\" ("bar\\\": missing end ")"#)),
    (r#"foo="bar\\\"""#, Plain(r#"foo="bar\\\"""#)),
    (r#"foo="\\""#, Plain(r#"foo="\\""#)),
    (r#"foo="\""#, Refused(r#"matcher value contains unescaped double quote: "\" ("\": missing end ")"#)),
    (r#"foo="\n""#, Plain(r#"foo="\n""#)),
    (r#"foo="\\n""#, Plain(r#"foo="\\n""#)),
    (r#"foo="a\nb""#, Plain(r#"foo="a\nb""#)),
    (r#"foo="\t""#, Disagreement(r#"foo="\\t""#, "foo=\"\t\"")),
    (r#"foo="a\tb""#, Disagreement(r#"foo="a\\tb""#, "foo=\"a\tb\"")),
    (r#"foo="\r""#, Disagreement(r#"foo="\\r""#, "foo=\"\r\"")),
    (r#"foo="\v""#, Disagreement(r#"foo="\\v""#, "foo=\"\u{b}\"")),
    (r#"foo="\f""#, Disagreement(r#"foo="\\f""#, "foo=\"\u{c}\"")),
    (r#"foo="\a""#, Disagreement(r#"foo="\\a""#, "foo=\"\u{7}\"")),
    (r#"foo="\b""#, Disagreement(r#"foo="\\b""#, "foo=\"\u{8}\"")),
    (r#"foo="\x41""#, Disagreement(r#"foo="\\x41""#, r#"foo="A""#)),
    (r#"foo="\x4""#, Fallback(r#"foo="\\x4""#)),
    (r#"foo="\xg1""#, Fallback(r#"foo="\\xg1""#)),
    (r#"foo="\xf0\x9f\x99\x82""#, Disagreement(r#"foo="\\xf0\\x9f\\x99\\x82""#, r#"foo="🙂""#)),
    (r#"foo="\xf0\x9f""#, Fallback(r#"foo="\\xf0\\x9f""#)),
    (r#"foo="\u0041""#, Disagreement(r#"foo="\\u0041""#, r#"foo="A""#)),
    (r#"foo="\u00e9""#, Disagreement(r#"foo="\\u00e9""#, r#"foo="é""#)),
    (r#"foo="\u41""#, Fallback(r#"foo="\\u41""#)),
    (r#"foo="\ud800""#, Fallback(r#"foo="\\ud800""#)),
    (r#"foo="\U0001F642""#, Disagreement(r#"foo="\\U0001F642""#, r#"foo="🙂""#)),
    (r#"foo="\U00110000""#, Fallback(r#"foo="\\U00110000""#)),
    (r#"foo="\101""#, Disagreement(r#"foo="\\101""#, r#"foo="A""#)),
    (r#"foo="\400""#, Fallback(r#"foo="\\400""#)),
    (r#"foo="\10""#, Fallback(r#"foo="\\10""#)),
    (r#"foo="\8""#, Fallback(r#"foo="\\8""#)),
    (r#"foo="\0""#, Fallback(r#"foo="\\0""#)),
    (r#"foo="\000""#, Disagreement(r#"foo="\\000""#, "foo=\"\u{0}\"")),
    (r#"foo="\'""#, Fallback(r#"foo="\\'""#)),
    (r#"foo="\`""#, Fallback(r#"foo="\\`""#)),
    (r#"foo="\d""#, Fallback(r#"foo="\\d""#)),
    (r#"foo="\.""#, Fallback(r#"foo="\\.""#)),
    (r#"foo="\q""#, Fallback(r#"foo="\\q""#)),
    (r#"foo="\ ""#, Fallback(r#"foo="\\ ""#)),
    (r#"foo="\/""#, Fallback(r#"foo="\\/""#)),
    (r#"foo=~"\d+""#, Fallback(r#"foo=~"\\d+""#)),
    (r#"foo=~"\\d+""#, Plain(r#"foo=~"\\d+""#)),
    (r"foo=~\d+", Fallback(r#"foo=~"\\d+""#)),
    ("foo=~[0-9]+", Plain(r#"foo=~"[0-9]+""#)),
    (r#"foo=~"[0-9]+""#, Plain(r#"foo=~"[0-9]+""#)),
    (r#"foo=~"a\.b""#, Fallback(r#"foo=~"a\\.b""#)),
    (r#"foo=~"a\\.b""#, Plain(r#"foo=~"a\\.b""#)),
    (r"foo=~a\.b", Fallback(r#"foo=~"a\\.b""#)),
    ("foo=~a.b", Plain(r#"foo=~"a.b""#)),
    (r#"foo=~"a\nb""#, Plain(r#"foo=~"a\nb""#)),
    (r#"foo=~"\bfoo""#, Disagreement(r#"foo=~"\\bfoo""#, "foo=~\"\u{8}foo\"")),
    (r#"foo=~"\\bfoo""#, Plain(r#"foo=~"\\bfoo""#)),
    ("foo=~a|b", Plain(r#"foo=~"a|b""#)),
    (r#"foo=~"a|b""#, Plain(r#"foo=~"a|b""#)),
    ("foo=~(a|b)", Plain(r#"foo=~"(a|b)""#)),
    (r#"foo=~"(a|b)""#, Plain(r#"foo=~"(a|b)""#)),
    ("foo=~(a|b", Refused("error parsing regexp: missing closing ): `(a|b`")),
    (r#"foo=~"(a|b""#, Refused("error parsing regexp: missing closing ): `(a|b`")),
    ("foo=~a|b)", Refused("error parsing regexp: unexpected ): `a|b)`")),
    ("foo=~[", Refused("error parsing regexp: missing closing ]: `[`")),
    (r#"foo=~"[""#, Refused("error parsing regexp: missing closing ]: `[`")),
    (r#"foo!~"[""#, Refused("error parsing regexp: missing closing ]: `[`")),
    (r#"foo=~"[a-""#, Refused("error parsing regexp: missing closing ]: `[a-`")),
    (r#"foo=~"*""#, Refused("error parsing regexp: missing argument to repetition operator: `*`")),
    ("foo=~*", Refused("error parsing regexp: missing argument to repetition operator: `*`")),
    (r#"foo=~"a**""#, Refused("error parsing regexp: invalid nested repetition operator: `**`")),
    (r#"foo=~"a{2}""#, Plain(r#"foo=~"a{2}""#)),
    ("foo=~a{2}", Fallback(r#"foo=~"a{2""#)),
    (r#"foo=~"a{2,3}""#, Plain(r#"foo=~"a{2,3}""#)),
    ("foo=~a{2,3}", Refused("bad matcher format: 3 (unexpected {: expected a comma or close brace)")),
    (r#"foo=~"(?i)a""#, Plain(r#"foo=~"(?i)a""#)),
    ("foo=~(?i)a", Plain(r#"foo=~"(?i)a""#)),
    (r#"foo=~"(?x)a""#, Refused("error parsing regexp: invalid or unsupported Perl syntax: `(?x`")),
    (r#"foo=~"(?=a)""#, Refused("error parsing regexp: invalid or unsupported Perl syntax: `(?=`")),
    (r#"foo=~"\u0041""#, Plain(r#"foo=~"A""#)),
    (r#"foo=~"\\u0041""#, Refused(r"error parsing regexp: invalid escape sequence: `\u`")),
    (r#"foo=~"\p{Greek}""#, Fallback(r#"foo=~"\\p{Greek}""#)),
    (r#"foo=~"\\p{Greek}""#, Plain(r#"foo=~"\\p{Greek}""#)),
    (r#"foo=~"\\p{Alphabetic}""#, Refused(r"error parsing regexp: invalid character class range: `\p{Alphabetic}`")),
    ("foo=^bar$", Plain(r#"foo="^bar$""#)),
    ("foo=~^bar$", Plain(r#"foo=~"^bar$""#)),
    (r#"foo=~"^bar$""#, Plain(r#"foo=~"^bar$""#)),
    ("foo=bar.*", Plain(r#"foo="bar.*""#)),
    ("foo=ba,r", Refused("bad matcher format: r (end of input: expected an operator such as '=', '!=', '=~' or '!~')")),
    (r#"foo="ba,r""#, Plain(r#"foo="ba,r""#)),
    (r#"foo="ba,r",baz="q,x""#, Plain(r#"foo="ba,r",baz="q,x""#)),
    (r#"foo="a,b"#, Refused(r#"matcher value contains unescaped double quote: "a,b ("a,b: missing end ")"#)),
    (r#"foo="a\,b""#, Fallback(r#"foo="a\\,b""#)),
    (r#"foo="a\\,b""#, Plain(r#"foo="a\\,b""#)),
    (r#"foo="a\,",bar="b""#, Refused(r#"matcher value contains unescaped double quote: "a\,",bar="b" ("a\,": invalid input)"#)),
    (r#"foo="a\\,",bar="b""#, Plain(r#"foo="a\\,",bar="b""#)),
    (r#"foo="a\",",bar="b""#, Plain(r#"foo="a\",",bar="b""#)),
    (r#"foo="a\"",bar="b""#, Plain(r#"foo="a\"",bar="b""#)),
    (r#"foo="a,b","#, Plain(r#"foo="a,b""#)),
    ("foo={bar}", Fallback(r#"foo="{bar""#)),
    ("foo={bar", Fallback(r#"foo="{bar""#)),
    ("foo=bar}baz", Fallback(r#"foo="bar}baz""#)),
    (r#"foo="{bar}""#, Plain(r#"foo="{bar}""#)),
    (r#"{foo="{bar}"}"#, Plain(r#"foo="{bar}""#)),
    (r#"{foo="}"}"#, Plain(r#"foo="}""#)),
    (r#"foo="}""#, Plain(r#"foo="}""#)),
    (r#"foo="{""#, Plain(r#"foo="{""#)),
    ("foo=}", Fallback(r#"foo="""#)),
    ("{foo=}}", Fallback(r#"foo="}""#)),
    ("foo=bar},baz=qux", Fallback(r#"foo="bar}",baz="qux""#)),
    ("{foo=bar},{baz=qux}", Refused("bad matcher format: {baz=qux (unexpected ,: expected end of input)")),
    ("{foo=bar}{baz=qux}", Fallback(r#"foo="bar}{baz=qux""#)),
    ("{foo=bar} {baz=qux}", Fallback(r#"foo="bar} {baz=qux""#)),
    (" {foo=bar}", Plain(r#"foo="bar""#)),
    ("{foo=bar} ", Disagreement(r#"foo="bar}""#, r#"foo="bar""#)),
    (" {foo=bar} ", Plain(r#"foo="bar""#)),
    ("{ foo=bar}", Plain(r#"foo="bar""#)),
    ("{foo=bar }", Plain(r#"foo="bar""#)),
    ("foo.bar=baz", Plain(r#""foo.bar"="baz""#)),
    ("foo-bar=baz", Plain(r#""foo-bar"="baz""#)),
    ("foo/bar=baz", Plain(r#""foo/bar"="baz""#)),
    ("foo:bar=baz", Plain(r#"foo:bar="baz""#)),
    (":foo=bar", Plain(r#":foo="bar""#)),
    ("_foo=bar", Plain(r#"_foo="bar""#)),
    ("__name__=bar", Plain(r#"__name__="bar""#)),
    ("foo_1=bar", Plain(r#"foo_1="bar""#)),
    ("1foo=bar", Plain(r#""1foo"="bar""#)),
    ("1=2", Plain(r#""1"="2""#)),
    ("foo@bar=baz", Plain(r#""foo@bar"="baz""#)),
    ("foo bar=baz", Refused("bad matcher format: foo bar=baz (unexpected bar: expected an operator such as '=', '!=', '=~' or '!~')")),
    (r#""foo bar"=baz"#, Plain(r#""foo bar"="baz""#)),
    (r#""foo bar"="baz qux""#, Plain(r#""foo bar"="baz qux""#)),
    (r#""foo.bar"="baz""#, Plain(r#""foo.bar"="baz""#)),
    (r#""foo\"bar"="baz""#, Plain(r#""foo\"bar"="baz""#)),
    (r#""foo\\bar"="baz""#, Plain(r#""foo\\bar"="baz""#)),
    (r#""foo\nbar"="baz""#, Plain(r#""foo\nbar"="baz""#)),
    (r#""foo,bar"="baz""#, Plain(r#""foo,bar"="baz""#)),
    (r#""foo=bar"="baz""#, Plain(r#""foo=bar"="baz""#)),
    (r#""{foo}"="baz""#, Plain(r#""{foo}"="baz""#)),
    (r#""1"="2""#, Plain(r#""1"="2""#)),
    (r#"""="bar""#, Refused(r#"bad matcher format: ""="bar" (the label name is empty)"#)),
    (r#"""="""#, Refused(r#"bad matcher format: ""="" (the label name is empty)"#)),
    (r#"""=~".*""#, Refused(r#"bad matcher format: ""=~".*" (the label name is empty)"#)),
    (r#""foo"="""#, Plain(r#"foo="""#)),
    (r#""foo"!="bar""#, Plain(r#"foo!="bar""#)),
    (r#""foo"=~"bar""#, Plain(r#"foo=~"bar""#)),
    (r#""foo"!~"bar""#, Plain(r#"foo!~"bar""#)),
    (r#""foo"=~"[""#, Refused(r#"bad matcher format: "foo"=~"[" (error parsing regexp: missing closing ]: `[`)"#)),
    (r#""foo" = "bar""#, Plain(r#"foo="bar""#)),
    (r#""foo""bar""#, Refused(r#"bad matcher format: "foo""bar" (unexpected "bar": expected an operator such as '=', '!=', '=~' or '!~')"#)),
    (r#""foo"bar="baz""#, Refused(r#"bad matcher format: "foo"bar="baz" (unexpected bar: expected an operator such as '=', '!=', '=~' or '!~')"#)),
    (r#"{"foo"="bar","baz"="qux"}"#, Plain(r#"foo="bar",baz="qux""#)),
    (r#"{"foo"="bar",}"#, Plain(r#"foo="bar""#)),
    (r#"{"foo"="bar""#, Refused(r#"bad matcher format: "foo"="bar" (end of input: expected close brace)"#)),
    (r#""foo"="bar"}"#, Refused(r#"bad matcher format: "foo"="bar" (unexpected }: expected opening brace)"#)),
    (r#""\x66oo"="bar""#, Plain(r#"foo="bar""#)),
    (r#""\xf0"="bar""#, Refused(r#"bad matcher format: "\xf0"="bar" ("\xf0": invalid input)"#)),
    (r#""\u0066oo"="bar""#, Plain(r#"foo="bar""#)),
    ("föö=bar", Plain(r#""föö"="bar""#)),
    ("foo=bär", Plain(r#"foo="bär""#)),
    (r#"foo="bär""#, Plain(r#"foo="bär""#)),
    ("Σ=s", Plain(r#""Σ"="s""#)),
    (r#""Σ"="s""#, Plain(r#""Σ"="s""#)),
    ("foo=Σ", Plain(r#"foo="Σ""#)),
    ("🙂=x", Plain(r#""🙂"="x""#)),
    ("foo=🙂", Plain(r#"foo="🙂""#)),
    (r#"foo="🙂""#, Plain(r#"foo="🙂""#)),
    ("foo=~🙂+", Plain(r#"foo=~"🙂+""#)),
    (r#""🙂"="🙂""#, Plain(r#""🙂"="🙂""#)),
    (r#"🙂="bar"#, Refused(r#"bad matcher format: 🙂="bar ("bar: missing end ")"#)),
    ("🙂🙂=[x", Plain(r#""🙂🙂"="[x""#)),
    ("foo=日本語", Plain(r#"foo="日本語""#)),
    (r#"日本語="x",foo="y""#, Plain(r#""日本語"="x",foo="y""#)),
    ("foo=bar=baz", Fallback(r#"foo="bar=baz""#)),
    (r#"foo="bar=baz""#, Plain(r#"foo="bar=baz""#)),
    ("foo=bar!=baz", Fallback(r#"foo="bar!=baz""#)),
    ("foo=bar~baz", Fallback(r#"foo="bar~baz""#)),
    ("foo=a=b,c=d", Fallback(r#"foo="a=b",c="d""#)),
    ("foo=http://x/y", Plain(r#"foo="http://x/y""#)),
    (r#"foo="http://x/y?a=b&c=d""#, Plain(r#"foo="http://x/y?a=b&c=d""#)),
    ("foo=http://x/y?a=b", Fallback(r#"foo="http://x/y?a=b""#)),
    ("foo=10.0.0.1:9100", Plain(r#"foo="10.0.0.1:9100""#)),
    ("foo=+Inf", Plain(r#"foo="+Inf""#)),
    ("foo=-1", Plain(r#"foo="-1""#)),
    ("foo=1.5", Plain(r#"foo="1.5""#)),
    ("foo=$bar", Plain(r#"foo="$bar""#)),
    ("foo=${bar}", Fallback(r#"foo="${bar""#)),
    ("foo=#bar", Plain(r##"foo="#bar""##)),
    ("foo=bar#baz", Plain(r#"foo="bar#baz""#)),
    ("foo=@", Plain(r#"foo="@""#)),
    ("foo=*", Plain(r#"foo="*""#)),
    ("foo=?", Plain(r#"foo="?""#)),
    ("foo=(", Plain(r#"foo="(""#)),
    ("foo=)", Plain(r#"foo=")""#)),
    ("foo=[", Plain(r#"foo="[""#)),
    ("foo=]", Plain(r#"foo="]""#)),
    ("foo=<", Plain(r#"foo="<""#)),
    ("foo=>", Plain(r#"foo=">""#)),
    ("foo=|", Plain(r#"foo="|""#)),
    ("foo=&", Plain(r#"foo="&""#)),
    ("foo=%", Plain(r#"foo="%""#)),
    ("foo=;", Plain(r#"foo=";""#)),
    ("foo=:", Plain(r#"foo=":""#)),
    ("foo=/", Plain(r#"foo="/""#)),
    ("foo=.", Plain(r#"foo=".""#)),
    ("foo=..", Plain(r#"foo="..""#)),
    ("foo=_", Plain(r#"foo="_""#)),
    ("alertname=ContainerDown", Plain(r#"alertname="ContainerDown""#)),
    (r#"alertname="ContainerDown",severity=~"warning|critical""#, Plain(r#"alertname="ContainerDown",severity=~"warning|critical""#)),
    ("alertname = ContainerDown", Plain(r#"alertname="ContainerDown""#)),
    ("severity=~warning|critical", Plain(r#"severity=~"warning|critical""#)),
    (r#"severity=~"warning|critical",team!="",container=~"web-\\d+""#, Plain(r#"severity=~"warning|critical",team!="",container=~"web-\\d+""#)),
    (r#"{alertname="X",severity="page",}"#, Plain(r#"alertname="X",severity="page""#)),
    (r#"alertname=~"Container(Down|Restarting)""#, Plain(r#"alertname=~"Container(Down|Restarting)""#)),
    (r#"container="web-1""#, Plain(r#"container="web-1""#)),
    ("container=web-1", Plain(r#"container="web-1""#)),
    ("container=~web-.*", Plain(r#"container=~"web-.*""#)),
    (r#"container=~"web-.*""#, Plain(r#"container=~"web-.*""#)),
    (r#"container!~"^test.*""#, Plain(r#"container!~"^test.*""#)),
    (r#"instance="h:9100""#, Plain(r#"instance="h:9100""#)),
    ("instance=h:9100", Plain(r#"instance="h:9100""#)),
    (r#"job="node",instance=~"10\.0\..*""#, Fallback(r#"job="node",instance=~"10\\.0\\..*""#)),
    (r#"job="node",instance=~"10\\.0\\..*""#, Plain(r#"job="node",instance=~"10\\.0\\..*""#)),
    (r#"statuscode=~"5..""#, Plain(r#"statuscode=~"5..""#)),
    ("statuscode=~5..", Plain(r#"statuscode=~"5..""#)),
    ("tricky==!=bar", Fallback(r#"tricky="=!=bar""#)),
    (r#"quote="She said: \"Hi, ladies! That's gender-neutral…\"""#, Plain(r#"quote="She said: \"Hi, ladies! That's gender-neutral…\"""#)),
    (r#"job!~"a|b",foo=~c|d"#, Plain(r#"job!~"a|b",foo=~"c|d""#)),
    ("foo=bar\nbaz", Fallback(r#"foo="bar\nbaz""#)),
    ("foo=\"bar\nbaz\"", Fallback(r#"foo="bar\nbaz""#)),
    ("foo=\"bar\\\nbaz\"", Fallback(r#"foo="bar\\\nbaz""#)),
    ("foo\n=\nbar", Plain(r#"foo="bar""#)),
    ("\nfoo=bar\n", Plain(r#"foo="bar""#)),
    ("foo=bar\r", Plain(r#"foo="bar""#)),
    ("foo=bar\u{b}", Plain(r#"foo="bar""#)),
    ("\u{b}foo=bar", Plain(r#"foo="bar""#)),
    ("foo=\u{a0}bar", Disagreement("foo=\"\u{a0}bar\"", r#"foo="bar""#)),
    ("foo=bar\u{a0}", Plain(r#"foo="bar""#)),
    ("\u{a0}foo=bar", Plain(r#"foo="bar""#)),
    ("foo=bar\u{a0},baz=qux", Disagreement("foo=\"bar\u{a0}\",baz=\"qux\"", r#"foo="bar",baz="qux""#)),
    ("foo=a\u{2003}b", Fallback("foo=\"a\u{2003}b\"")),
    ("foo\u{2003}=b", Plain(r#"foo="b""#)),
    ("foo=\"a\tb\"", Plain("foo=\"a\tb\"")),
    ("foo=a\tb", Fallback("foo=\"a\tb\"")),
    ("foo=\"\u{7}\"", Plain("foo=\"\u{7}\"")),
    ("foo=\u{7}", Plain("foo=\"\u{7}\"")),
    ("foo=\u{200b}", Plain("foo=\"\u{200b}\"")),
    ("foo=\u{feff}bar", Plain("foo=\"\u{feff}bar\"")),
    ("foo=\"bar\",\n  baz=\"qux\"", Plain(r#"foo="bar",baz="qux""#)),
    ("{\n  foo=\"bar\",\n  baz=\"qux\",\n}", Plain(r#"foo="bar",baz="qux""#)),
    ("foo=~\"a\nb\"", Fallback(r#"foo=~"a\nb""#)),
    ("foo=bar,\n", Plain(r#"foo="bar""#)),
    ("foo=bar, \u{a0}", Plain(r#"foo="bar""#)),
];

fn printed(matchers: &[Matcher]) -> String {
    matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn one(text: &str) -> Matcher {
    parse_one_matcher(text).unwrap_or_else(|error| panic!("{text}: {error}")).matcher
}

#[test]
fn texts_are_read_as_alertmanager_reads_them() {
    let mut wrong = Vec::new();
    for (text, reading) in READINGS {
        let parsed = parse_matchers(text);
        let (matchers, warnings) = match &parsed {
            Ok(parsed) => (printed(&parsed.matchers), parsed.warnings.join("; ")),
            Err(error) => (error.to_string(), String::new()),
        };
        let right = match reading {
            Plain(wanted) => parsed.is_ok() && matchers == *wanted && warnings.is_empty(),
            Fallback(wanted) => matchers == *wanted && warnings.contains("as a fallback") && warnings.contains(wanted),
            Disagreement(classic, utf8) => {
                matchers == *classic && warnings.contains("disagreement") && warnings.contains(&format!("`{utf8}`"))
            }
            Refused(wanted) => parsed.is_err() && matchers == *wanted,
        };
        if !right {
            wrong.push(format!("{text:?} gives {matchers} {warnings}"));
        }
    }
    assert!(wrong.is_empty(), "{} disagreements:\n{}", wrong.len(), wrong.join("\n"));
    assert!(300 <= READINGS.len(), "the table shrank");
}

#[test]
fn refusals_point_at_the_bytes_that_are_wrong() {
    for (text, blamed) in [
        ("foo", ""),
        ("foo,bar=baz", ","),
        ("🙂🙂 🙂=x", "🙂"),
        ("日本語=\"x\",foo=\"y", "\"y"),
        ("föö=\"bar\", =x", "="),
        ("föö=~\"[\"", "\"[\""),
        ("\"é\"=\"\\ud800\"", "\"\\ud800\""),
        ("a=\"b\",\"\"=\"x\"", "\"\""),
        ("\u{2003}föö'", "'"),
        ("föö!", "!"),
    ] {
        let (start, end) = parse_matchers(text).unwrap_err().span.unwrap_or_else(|| panic!("{text} has no span"));
        assert_eq!(text.get(start..end), Some(blamed), "{text}");
    }
    assert_eq!(parse_matchers("föö").unwrap_err().span, Some((5, 5)), "the end of the text");
}

#[test]
fn a_filter_is_exactly_one_matcher() {
    for (text, matcher) in [
        ("foo=bar", r#"foo="bar""#),
        (r#"foo="bar,baz""#, r#"foo="bar,baz""#),
        ("foo=bar,", r#"foo="bar""#),
        ("foo=bar baz", r#"foo="bar baz""#),
        (r#""foo bar"=~"b.*""#, r#""foo bar"=~"b.*""#),
    ] {
        assert_eq!(one(text).to_string(), matcher, "{text}");
    }
    for (text, message) in [
        ("", "no matchers"),
        (" ", "no matchers"),
        ("{foo=bar}", "unexpected open or close brace"),
        ("{foo=bar", "unexpected open or close brace"),
        ("foo=bar}", "unexpected open or close brace"),
        ("foo=bar,baz=qux", "expected 1 matcher, found 2"),
        ("foo=a b,baz=qux", "expected 1 matcher, found 2"),
        ("foo", "bad matcher format: foo"),
    ] {
        let error = parse_one_matcher(text).expect_err(text);
        assert!(error.message.starts_with(message), "{text}: {error}");
    }
    assert_eq!(parse_one_matcher("foo=bar baz").unwrap().warnings.len(), 1, "the fallback is told");
}

#[test]
fn matching_is_alertmanagers() {
    let labels: Labels = [("foo", "bar"), ("multi", "a\nb"), ("é", "ü")].into_iter().collect();
    for (text, matches) in [
        (r#"foo="bar""#, true),
        (r#"foo="Bar""#, false),
        (r#"foo!="bar""#, false),
        (r#"foo!="baz""#, true),
        (r#"foo=~"ba""#, false),
        (r#"foo=~"ba.""#, true),
        (r#"foo!~"ba""#, true),
        (r#"foo!~"ba.""#, false),
        (r#"foo=~"x|bar""#, true),
        (r#"foo=~"bar|x.*""#, true),
        (r#"missing="""#, true),
        (r#"missing!="""#, false),
        (r#"foo!="""#, true),
        (r#"missing="x""#, false),
        (r#"missing!="x""#, true),
        (r#"missing=~".*""#, true),
        (r#"missing=~".+""#, false),
        (r#"missing!~".+""#, true),
        (r#"missing=~"x|""#, true),
        (r#"multi=~".*""#, false),
        (r#"multi=~"(?s).*""#, true),
        (r#"multi=~"a\nb""#, true),
        (r#"multi=~"(?m)a$""#, false),
        (r#""é"="ü""#, true),
        (r#""é"=~".""#, true),
        (r#""é"=~"\\w""#, false),
    ] {
        assert_eq!(one(text).matches(&labels), matches, "{text}");
    }
}

#[test]
fn only_a_matcher_that_no_alert_fails_matches_everything() {
    for text in [
        r#"a=~".*""#,
        r#"a=~".*?""#,
        r#"a=~"(.+)?""#,
        r#"a=~".*|web""#,
        r#"a=~"|.+""#,
        r#"a=~"(?s).*""#,
        r#"a=~"^.*$""#,
        r#"a=~"[^\n]*""#,
        r#"a=~"[^\n]{0,1000}""#,
        r#"a=~"(?i).*""#,
    ] {
        assert!(one(text).matches_everything(), "{text}");
    }
    for text in [
        r#"a=~".+""#,
        r#"a=~"..*""#,
        r#"a=~"""#,
        r#"a=~"web.*""#,
        r#"a=~"[^x]*""#,
        r#"a=~"[ -~]*""#,
        r#"a=~"\\w*""#,
        r#"a=~".{0,9}""#,
        r#"a="""#,
        r#"a=".*""#,
        r#"a!="""#,
        r#"a!="x""#,
        r#"a!~"x""#,
        r#"a!~".*""#,
    ] {
        assert!(!one(text).matches_everything(), "{text}");
    }
}

#[test]
fn only_an_equality_demands_a_value() {
    assert_eq!(one(r#"a="b""#).equality(), Some(("a", "b")));
    assert_eq!(one(r#"a="""#).equality(), Some(("a", "")));
    for text in [r#"a!="b""#, r#"a=~"b""#, r#"a!~"b""#] {
        assert_eq!(one(text).equality(), None, "{text}");
    }
}

fn any_matcher() -> impl Strategy<Value = Matcher> {
    let name = prop_oneof!["[a-zA-Z_:][a-zA-Z0-9_:]{0,5}", ".{1,5}", r#"[a"\\,={}~! \n\t'`]{1,6}"#];
    let value = prop_oneof![".{0,8}", r#"[a"\\,={}~! \n\t'`nx]{0,8}"#];
    let regex = prop_oneof![value.clone().prop_map(|value| regex::escape(&value)), Just(r"\d+|(?i)a{2}\.".to_owned())];
    let anchored = regex.prop_filter_map("go reads it", |source| AnchoredRegex::new(&source).ok());
    let op = prop_oneof![
        value.clone().prop_map(MatchOp::Equal),
        value.prop_map(MatchOp::NotEqual),
        anchored.clone().prop_map(MatchOp::Regex),
        anchored.prop_map(MatchOp::NotRegex),
    ];
    (name, op).prop_map(|(name, op)| Matcher { name, op })
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_without_a_warning(matchers in prop::collection::vec(any_matcher(), 1..4)) {
        for text in [printed(&matchers), format!("{{{}}}", printed(&matchers))] {
            let parsed = parse_matchers(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
            prop_assert_eq!(&parsed.matchers, &matchers);
            prop_assert_eq!(parsed.warnings, Vec::<String>::new());
        }
    }

    #[test]
    fn any_text_is_read_or_refused_in_place(text in r#"([a-c0é🙂]|[{}!=~,"'` \n\\]|=~|!~|="|",|\\[nx"u0-9]){0,16}"#) {
        match parse_matchers(&text) {
            Ok(parsed) => prop_assert!(parsed.matchers.iter().all(|matcher| !matcher.name.is_empty())),
            Err(error) => {
                if let Some((start, end)) = error.span {
                    prop_assert!(text.get(start..end).is_some(), "{:?} {}..{}", text, start, end);
                }
            }
        }
    }
}
