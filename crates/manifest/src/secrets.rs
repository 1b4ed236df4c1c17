//! Names of secrets: a manifest says who gets them, and never what they hold.

use lattice_core::SecretName;

use crate::{
    Problem, fields,
    read::Reader,
    tree::{Key, Node, Value},
};

impl Reader<'_> {
    /// A field of secrets: one name, or a list of names. What they hold never stands in a manifest.
    pub(crate) fn secrets(&mut self, field: Option<(Key, Node)>) -> Vec<SecretName> {
        let Some((key, node)) = field else { return Vec::new() };
        let items = match node.value {
            Value::Null => return Vec::new(),
            Value::List(items) => items,
            Value::Map(_) => {
                let message = "a manifest names secrets and does not hold them".to_owned();
                let help = "write a list of names, and put each by itself: wash secret put NAME";
                self.errors.push(node.place.error_with(Problem::Misuse { message }, help));
                return Vec::new();
            }
            Value::Scalar(_) => vec![node],
        };
        let mut names: Vec<SecretName> = Vec::new();
        for item in items {
            let scalar = self.errors.take(fields::scalar(&key.text, &key.place, item));
            let Some(named) = scalar else { continue };
            let read = fields::parsed(&named, "the name of a secret", str::parse::<SecretName>);
            names.extend(self.errors.take(read).filter(|name| !names.contains(name)));
        }
        names
    }
}
