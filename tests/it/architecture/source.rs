//! Rust source as the rules see it: code without comments, the texts of its string literals, and the paths
//! it names. A lexer and a reader of `use` trees are all it takes; macros are seen as their tokens.

/// Code with comments, strings and characters blanked, and what the strings said.
#[derive(Debug, Default, PartialEq)]
pub struct Source {
    pub code: String,
    pub strings: Vec<String>,
}

impl Source {
    pub fn read(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut source = Source::default();
        let mut at = 0;
        while at < chars.len() {
            let next = chars.get(at + 1).copied();
            at = match chars[at] {
                '/' if next == Some('/') => line_end(&chars, at),
                '/' if next == Some('*') => block_comment_end(&chars, at),
                '"' => source.string(&chars, at + 1),
                'r' if !continues_word(&chars, at) && raw_hashes(&chars, at).is_some() => {
                    source.raw_string(&chars, at, raw_hashes(&chars, at).unwrap_or(0))
                }
                '\'' => source.character_or_lifetime(&chars, at),
                other => {
                    source.code.push(other);
                    at + 1
                }
            };
        }
        source
    }

    /// Without the inline module of tests, which is the last item of a file by our own habit.
    pub fn production(text: &str) -> Self {
        Self::read(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text))
    }

    fn string(&mut self, chars: &[char], from: usize) -> usize {
        let mut text = String::new();
        let mut at = from;
        while at < chars.len() && chars[at] != '"' {
            if chars[at] == '\\' {
                at += 1;
            }
            text.extend(chars.get(at));
            at += 1;
        }
        self.literal(text);
        at + 1
    }

    fn raw_string(&mut self, chars: &[char], from: usize, hashes: usize) -> usize {
        let start = from + 1 + hashes + 1;
        let closing: String = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
        let mut at = start;
        while at < chars.len() && !chars[at..].iter().take(closing.len()).copied().eq(closing.chars()) {
            at += 1;
        }
        self.literal(chars[start..at.min(chars.len())].iter().collect());
        at + closing.len()
    }

    fn character_or_lifetime(&mut self, chars: &[char], at: usize) -> usize {
        self.code.push(' ');
        match (chars.get(at + 1), chars.get(at + 2)) {
            (Some('\\'), _) => {
                let rest = chars.iter().skip(at + 3).position(|c| *c == '\'');
                rest.map_or(chars.len(), |offset| at + 3 + offset + 1)
            }
            (Some(_), Some('\'')) => at + 3,
            _ => at + 1,
        }
    }

    fn literal(&mut self, text: String) {
        self.code.push_str("\"\"");
        self.strings.push(text);
    }

    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.code.split(|c: char| !is_word(c)).filter(|word| !word.is_empty())
    }

    /// Every path the code names, `use` trees spelled out: `use a::{b, c::D}` is `a::b` and `a::c::D`.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        let mut rest = self.code.as_str();
        while let Some((before, after)) = next_use(rest) {
            inline_paths(before, &mut paths);
            let end = after.find(';').unwrap_or(after.len());
            let tree: String = after[..end].split_whitespace().collect::<Vec<_>>().join(" ");
            spell_out("", &tree, &mut paths);
            rest = &after[end..];
        }
        inline_paths(rest, &mut paths);
        paths
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn continues_word(chars: &[char], at: usize) -> bool {
    at > 0 && is_word(chars[at - 1]) && !matches!(chars[at - 1], 'b' | 'c')
}

fn line_end(chars: &[char], from: usize) -> usize {
    chars[from..].iter().position(|c| *c == '\n').map_or(chars.len(), |offset| from + offset)
}

fn block_comment_end(chars: &[char], from: usize) -> usize {
    let (mut depth, mut at) = (0, from);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 2;
            }
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// How many hashes, when a raw string starts here.
fn raw_hashes(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    (chars.get(at + 1 + hashes) == Some(&'"')).then_some(hashes)
}

/// What is before the next `use` declaration, and what follows the word.
fn next_use(code: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    while let Some(found) = code[from..].find("use") {
        let (start, end) = (from + found, from + found + "use".len());
        let alone = !code[..start].ends_with(is_word) && code[end..].starts_with(char::is_whitespace);
        if alone {
            return Some((&code[..start], &code[end..]));
        }
        from = end;
    }
    None
}

fn spell_out(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or(tree).replace(' ', "");
        if !path.is_empty() {
            paths.push(format!("{prefix}{path}"));
        }
        return;
    };
    let prefix = format!("{prefix}{}", tree[..open].replace(' ', ""));
    let inner = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
    let (mut depth, mut from) = (0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                spell_out(&prefix, &inner[from..at], paths);
                from = at + 1;
            }
            _ => {}
        }
    }
    spell_out(&prefix, &inner[from..], paths);
}

fn inline_paths(code: &str, paths: &mut Vec<String>) {
    let words = code.split(|c: char| !is_word(c) && c != ':');
    paths.extend(words.filter(|word| word.contains("::")).map(|word| word.trim_matches(':').to_owned()));
}

#[test]
fn comments_and_strings_are_no_code() {
    let source = Source::read(
        "let a = \"unsafe \\\" x\"; // unsafe\n/* unsafe /* deep */ */ let c = '\"'; fn f<'a>() {} r#\"SELECT \"1\"\"#",
    );

    assert!(!source.words().any(|word| word == "unsafe"), "{}", source.code);
    assert_eq!(source.strings, ["unsafe \" x", "SELECT \"1\""]);
}

#[test]
fn use_trees_are_spelled_out() {
    let source = Source::read("pub use a::{b, c::{D, self as e}};\nfn f() { x::y::z(); }\nuse\n  q as r;");

    assert_eq!(source.paths(), ["a::b", "a::c::D", "a::c::self", "x::y::z", "q"]);
}

#[test]
fn what_only_tests_see_is_not_production() {
    let text = "use a::b;\n#[cfg(test)]\nmod tests {\n    use c::d;\n}\n";

    assert_eq!(Source::production(text).paths(), ["a::b"]);
}
