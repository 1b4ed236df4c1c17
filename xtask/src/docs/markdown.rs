//! As much of Markdown as the checks need: fenced blocks, headings with their anchors, links.

use std::collections::HashMap;

/// A line of a document, and whether it is inside a fenced block.
pub(super) enum Line<'a> {
    /// Opens a fenced block, with what follows the fence.
    Open(&'a str),
    /// Inside a fenced block.
    Code(&'a str),
    /// Ends a fenced block.
    Close,
    /// Anything else.
    Prose(&'a str),
}

/// The lines of `text` with their numbers, from 1.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, Line<'_>)> {
    let mut fence: Option<&str> = None;
    text.lines().enumerate().map(move |(index, line)| {
        let trimmed = line.trim_start();
        let kind = match fence {
            Some(open)
                if trimmed.trim_end().starts_with(open)
                    && trimmed.trim_end().trim_matches('`').is_empty() =>
            {
                fence = None;
                Line::Close
            }
            Some(_) => Line::Code(line),
            None => match trimmed.strip_prefix("```") {
                Some(_) => {
                    let ticks = trimmed.len() - trimmed.trim_start_matches('`').len();
                    fence = Some(&trimmed[..ticks]);
                    Line::Open(trimmed[ticks..].trim())
                }
                None => Line::Prose(line),
            },
        };
        (index + 1, kind)
    })
}

/// The anchors that a document offers: those of its headings, as GitHub makes them, and named ones.
pub(super) fn anchors(text: &str) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut anchors = Vec::new();
    for (_, line) in lines(text) {
        let Line::Prose(line) = line else { continue };
        if let Some(heading) =
            line.strip_prefix('#').map(|rest| rest.trim_start_matches('#')).filter(|h| h.starts_with(' '))
        {
            let slug = slug(heading.trim().trim_end_matches('#').trim());
            let repeats = seen.entry(slug.clone()).and_modify(|n| *n += 1).or_insert(0);
            anchors.push(if *repeats == 0 { slug } else { format!("{slug}-{repeats}") });
        }
        for attribute in ["id=\"", "name=\""] {
            let named = line.split(attribute).skip(1).filter_map(|rest| rest.split('"').next());
            anchors.extend(named.map(str::to_owned));
        }
    }
    anchors
}

/// A heading's anchor: lower case, words joined by hyphens, punctuation left out, the text of links kept.
fn slug(heading: &str) -> String {
    let mut text = String::new();
    let mut rest = heading;
    while let Some((before, after)) = rest.split_once("](") {
        text.push_str(before);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    let kept = text
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .collect::<String>();
    kept.replace(' ', "-")
}

/// The targets of links and images in a line of prose: inline ones, definitions, and those in HTML attributes.
pub(super) fn targets(line: &str) -> Vec<String> {
    let line = without_code(line);
    let mut targets = Vec::new();
    for rest in line.split("](").skip(1) {
        targets.extend(rest.split([')', ' ']).next().map(str::to_owned));
    }
    if let Some((label, target)) = line.trim_start().split_once("]: ")
        && label.starts_with('[')
    {
        targets.extend(target.split_whitespace().next().map(str::to_owned));
    }
    for attribute in ["src=\"", "href=\"", "srcset=\""] {
        targets.extend(
            line.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned),
        );
    }
    targets.retain(|target| !target.is_empty());
    targets
}

/// The line with its code spans taken out.
pub(super) fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_those_of_github() {
        let text = "# What it *is*\n## A `wash up`, step 2!\n```sh\n# no heading\n```\n## Links [here](x.md)\n## Again\n## Again\n<a id=\"own\"></a>\n";
        assert_eq!(
            anchors(text),
            ["what-it-is", "a-wash-up-step-2", "links-here", "again", "again-1", "own"]
        );
    }

    #[test]
    fn targets_are_found_wherever_they_stand() {
        let cases: [(&str, &[&str]); 5] = [
            ("see [a](a.md#b) and ![b](c.svg \"title\")", &["a.md#b", "c.svg"]),
            ("[label]: docs/x.md", &["docs/x.md"]),
            ("<img src=\"docs/x.svg\" alt=\"\"> <a href=\"#y\">y</a>", &["docs/x.svg", "#y"]),
            ("no `[link](in-code.md)` here", &[]),
            ("plain [brackets] and (parentheses)", &[]),
        ];
        for (line, expected) in cases {
            assert_eq!(targets(line), expected, "{line}");
        }
    }

    #[test]
    fn a_longer_fence_holds_a_shorter_one() {
        let text = "````md\n```sh\nx\n```\n````\nprose";
        let prose = lines(text).filter(|(_, line)| matches!(line, Line::Prose(_))).count();
        assert_eq!(prose, 1);
    }
}
