//! The tree over the records: RFC 6962 section 2.1 (the same tree as RFC 9162 section 2.1), its roots, proofs and
//! their verification. Where nodes are kept is the caller's business.
//!
//! A *complete subtree* covers `2^level` leaves from leaf `index * 2^level` on; it never changes once its leaves are
//! there, so only complete subtrees are ever stored. Level 0 is the leaves themselves.

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The hash of a leaf: SHA-256 over 0x00 and the record.
pub fn leaf_hash(record: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(record).finalize().into()
}

/// The hash of an inner node: SHA-256 over 0x01, the left and the right child.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root of the empty tree: SHA-256 over nothing.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The right edge of a tree: the roots of its complete subtrees, largest first. Enough to append and to know the
/// root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    peaks: Vec<Hash>,
}

impl Edge {
    /// The edge of the tree of this size, from the hashes of complete subtrees: `node(level, index)`.
    pub fn read<E>(size: u64, node: &mut dyn FnMut(u8, u64) -> Result<Hash, E>) -> Result<Self, E> {
        let mut peaks = Vec::new();
        for level in (0..64_u8).rev() {
            if size >> level & 1 == 1 {
                peaks.push(node(level, (size >> level) - 1)?);
            }
        }
        Ok(Self { size, peaks })
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf and reports every complete subtree above level 0 that it finishes: level, index, hash.
    pub fn push(&mut self, leaf: Hash, finished: &mut dyn FnMut(u8, u64, Hash)) {
        let (mut hash, mut level, mut index) = (leaf, 0_u8, self.size);
        while index & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(&left, &hash);
            index >>= 1;
            level += 1;
            finished(level, index, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        self.peaks.iter().rev().copied().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
    }
}

/// The largest power of two below `n`, for `n` of at least 2.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// The hash of the leaves from `start` to before `end`, a subtree of an RFC 6962 tree.
fn subtree<E>(start: u64, end: u64, node: &mut dyn FnMut(u8, u64) -> Result<Hash, E>) -> Result<Hash, E> {
    let count = end - start;
    if count.is_power_of_two() {
        let level = count.trailing_zeros();
        return node(u8::try_from(level).unwrap_or(0), start >> level);
    }
    let middle = start + split(count);
    Ok(node_hash(&subtree(start, middle, node)?, &subtree(middle, end, node)?))
}

/// The proof that the leaf `index` is in the tree of this size (RFC 6962 section 2.1.1), from the leaf upwards;
/// `None` when there is no such leaf.
pub fn inclusion<E>(
    index: u64,
    size: u64,
    node: &mut dyn FnMut(u8, u64) -> Result<Hash, E>,
) -> Result<Option<Vec<Hash>>, E> {
    if index >= size {
        return Ok(None);
    }
    let (mut start, mut end, mut path) = (0, size, Vec::new());
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(subtree(middle, end, node)?);
            end = middle;
        } else {
            path.push(subtree(start, middle, node)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(Some(path))
}

/// The proof that the tree of size `new` only adds to the tree of size `old` (RFC 6962 section 2.1.2). Empty when
/// `old` is 0 or `new`; `None` when `old` is larger.
pub fn consistency<E>(
    old: u64,
    new: u64,
    node: &mut dyn FnMut(u8, u64) -> Result<Hash, E>,
) -> Result<Option<Vec<Hash>>, E> {
    if old > new {
        return Ok(None);
    }
    if old == 0 || old == new {
        return Ok(Some(Vec::new()));
    }
    let (mut start, mut end, mut path) = (0, new, Vec::new());
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            path.push(subtree(middle, end, node)?);
            end = middle;
        } else {
            path.push(subtree(start, middle, node)?);
            start = middle;
        }
    }
    // Whoever checks the proof knows the old root: it is left out where it is itself the subtree.
    if start > 0 {
        path.push(subtree(start, end, node)?);
    }
    path.reverse();
    Ok(Some(path))
}

/// Whether the proof shows that this leaf stands at `index` in the tree of this size and root (RFC 9162 section
/// 2.1.3.2).
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut fnode, mut snode, mut hash) = (index, size - 1, *leaf);
    for step in proof {
        if snode == 0 {
            return false;
        }
        if fnode & 1 == 1 || fnode == snode {
            hash = node_hash(step, &hash);
            while fnode & 1 == 0 && fnode != 0 {
                fnode >>= 1;
                snode >>= 1;
            }
        } else {
            hash = node_hash(&hash, step);
        }
        fnode >>= 1;
        snode >>= 1;
    }
    snode == 0 && hash == *root
}

/// Whether the proof shows that the tree of size `new` only adds to the tree of size `old` (RFC 9162 section
/// 2.1.4.2). From the empty tree and to the same size the proof is empty.
pub fn verify_consistency((old, old_root): (u64, &Hash), (new, new_root): (u64, &Hash), proof: &[Hash]) -> bool {
    if old == 0 {
        return proof.is_empty() && *old_root == empty_root();
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    if old > new {
        return false;
    }
    let mut steps = old.is_power_of_two().then_some(old_root).into_iter().chain(proof);
    let Some(first) = steps.next() else { return false };
    let shift = (old - 1).trailing_ones();
    let (mut fnode, mut snode) = ((old - 1) >> shift, (new - 1) >> shift);
    let (mut left, mut right) = (*first, *first);
    for step in steps {
        if snode == 0 {
            return false;
        }
        if fnode & 1 == 1 || fnode == snode {
            left = node_hash(step, &left);
            right = node_hash(step, &right);
            while fnode & 1 == 0 && fnode != 0 {
                fnode >>= 1;
                snode >>= 1;
            }
        } else {
            right = node_hash(&right, step);
        }
        fnode >>= 1;
        snode >>= 1;
    }
    snode == 0 && left == *old_root && right == *new_root
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use ct_merkle::mem_backed_tree::MemoryBackedTree;

    use super::*;

    /// Every complete subtree of a tree over the numbers from 0, `levels[level][index]`.
    struct Nodes(Vec<Vec<Hash>>);

    impl Nodes {
        fn of(size: u64) -> Self {
            let mut levels: Vec<Vec<Hash>> = vec![Vec::new(); 64];
            let mut edge = Edge::default();
            for n in 0..size {
                let leaf = leaf_hash(&record(n));
                levels[0].push(leaf);
                edge.push(leaf, &mut |level, index, hash| {
                    assert_eq!(index, levels[usize::from(level)].len() as u64);
                    levels[usize::from(level)].push(hash);
                });
            }
            Self(levels)
        }

        #[expect(clippy::unnecessary_wraps, reason = "the shape that readers of nodes have")]
        fn get(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
            Ok(self.0[usize::from(level)][usize::try_from(index).unwrap()])
        }

        fn root(&self, size: u64) -> Hash {
            Edge::read(size, &mut |level, index| self.get(level, index)).unwrap().root()
        }
    }

    fn record(n: u64) -> Vec<u8> {
        n.to_string().into_bytes()
    }

    #[test]
    fn the_first_roots_are_those_of_rfc_6962() {
        assert_eq!(crate::hex::hex(&empty_root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(
            crate::hex::hex(&leaf_hash(b"")),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        assert_eq!(Edge::default().root(), empty_root());
    }

    /// The tree hash as RFC 6962 section 2.1 defines it, over leaf hashes.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                let both = [&[1], defined(left).as_slice(), defined(right).as_slice()].concat();
                Sha256::digest(both).into()
            }
        }
    }

    #[test]
    fn e_07_roots_equal_those_of_an_independent_implementation() {
        let mut oracle = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        let mut edge = Edge::default();
        let nodes = Nodes::of(1_100);
        for size in 1..=(1 << 14) + 1_u64 {
            let record = record(size - 1);
            edge.push(leaf_hash(&record), &mut |_, _, _| {});
            oracle.push(record);
            let near_a_power = (size - 1).is_power_of_two() || size.is_power_of_two() || (size + 1).is_power_of_two();
            if size <= 1_025 || near_a_power {
                let expected: [u8; 32] = (*oracle.root().as_bytes()).into();
                assert_eq!(edge.root(), expected, "size {size}");
                if size <= 1_025 {
                    assert_eq!(nodes.root(size), expected, "from nodes, size {size}");
                }
            }
        }
    }

    #[test]
    fn e_07_roots_of_large_trees_equal_the_definition() {
        let most = (1 << 20) + 1_u32;
        let leaves: Vec<Hash> = (0..most)
            .map(|n| {
                let mut leaf = [0; 32];
                leaf[..4].copy_from_slice(&n.to_be_bytes());
                leaf
            })
            .collect();
        let mut edge = Edge::default();
        for (n, leaf) in (1_usize..).zip(&leaves) {
            edge.push(*leaf, &mut |_, _, _| {});
            let near_a_power = (n - 1).is_power_of_two() || n.is_power_of_two() || (n + 1).is_power_of_two();
            if near_a_power && (n <= 1 << 15 || n > 1 << 20) {
                assert_eq!(edge.root(), defined(&leaves[..n]), "size {n}");
            }
        }
    }

    #[test]
    fn e_08_every_proof_verifies_and_none_with_one_hash_altered() {
        const MOST: u64 = 256;
        let nodes = Nodes::of(MOST);
        let mut get = |level, index| nodes.get(level, index);
        let roots: Vec<Hash> = (0..=MOST).map(|size| nodes.root(size)).collect();
        let root = |size: u64| &roots[usize::try_from(size).unwrap()];
        let mut proofs = 0;
        for size in 1..=MOST {
            for index in 0..size {
                let leaf = leaf_hash(&record(index));
                let mut proof = inclusion(index, size, &mut get).unwrap().unwrap();
                assert!(verify_inclusion(&leaf, index, size, &proof, root(size)), "{index} in {size}");
                for i in 0..proof.len() {
                    proof[i][i % 32] ^= 1;
                    assert!(!verify_inclusion(&leaf, index, size, &proof, root(size)), "{index} in {size}, {i}");
                    proof[i][i % 32] ^= 1;
                }
                let mut proof = consistency(index, size, &mut get).unwrap().unwrap();
                let (old, new) = ((index, root(index)), (size, root(size)));
                assert!(verify_consistency(old, new, &proof), "{index} to {size}");
                for i in 0..proof.len() {
                    proof[i][i % 32] ^= 1;
                    assert!(!verify_consistency(old, new, &proof), "{index} to {size}, {i}");
                    proof[i][i % 32] ^= 1;
                }
                proofs += 2;
            }
        }
        assert!(proofs > 65_000);
    }

    #[test]
    fn proofs_equal_those_of_an_independent_implementation() {
        let mut oracle = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        (0..77).for_each(|n| oracle.push(record(n)));
        let nodes = Nodes::of(77);
        let mut get = |level, index| nodes.get(level, index);
        for n in 0..77 {
            let proof = inclusion(n, 77, &mut get).unwrap().unwrap().concat();
            assert_eq!(proof, oracle.prove_inclusion(usize::try_from(n).unwrap()).as_bytes(), "inclusion of {n}");
        }
        for old in 1..77 {
            let proof = consistency(old, 77, &mut get).unwrap().unwrap().concat();
            let added = usize::try_from(77 - old).unwrap();
            assert_eq!(proof, oracle.prove_consistency(added).as_bytes(), "consistency from {old}");
        }
    }

    #[test]
    fn e_15_a_proof_for_another_index_or_size_or_an_empty_one_is_refused() {
        let nodes = Nodes::of(40);
        let mut get = |level, index| nodes.get(level, index);
        for size in 2..=40 {
            for index in 0..size {
                let leaf = leaf_hash(&record(index));
                let proof = inclusion(index, size, &mut get).unwrap().unwrap();
                let root = nodes.root(size);
                for other in (0..=size).filter(|other| *other != index) {
                    assert!(!verify_inclusion(&leaf, other, size, &proof, &root), "{index} as {other} in {size}");
                }
                for other in (0..=40).filter(|other| *other != size) {
                    let other_root = nodes.root(other);
                    assert!(!verify_inclusion(&leaf, index, other, &proof, &other_root), "{index}: {size} as {other}");
                }
                assert!(!verify_inclusion(&leaf, index, size, &[], &root));
                assert!(!verify_inclusion(&leaf, index, size, &proof[1..], &root));
                assert!(!verify_inclusion(&leaf, index, size, &[proof.clone(), vec![root]].concat(), &root));
                let proof = consistency(index, size, &mut get).unwrap().unwrap();
                let old = (index, &nodes.root(index));
                for other in (0..=40).filter(|other| *other != size) {
                    assert!(!verify_consistency(old, (other, &nodes.root(other)), &proof) || index == 0);
                }
                if index > 0 {
                    assert!(!verify_consistency(old, (size, &root), &[]));
                    assert!(!verify_consistency(old, (size, &root), &[proof, vec![root]].concat()));
                }
            }
        }
        assert_eq!(inclusion(40, 40, &mut get), Ok(None));
        assert_eq!(consistency(40, 39, &mut get), Ok(None));
        assert!(!verify_inclusion(&[0; 32], 0, 0, &[], &empty_root()));
        assert!(!verify_consistency((3, &nodes.root(3)), (2, &nodes.root(2)), &[]));
        assert!(verify_consistency((0, &empty_root()), (5, &nodes.root(5)), &[]));
        assert!(!verify_consistency((0, &nodes.root(1)), (5, &nodes.root(5)), &[]));
    }

    #[test]
    fn e_13_a_proof_whose_middle_was_left_out_is_refused() {
        let nodes = Nodes::of(200);
        let mut get = |level, index| nodes.get(level, index);
        for (old, new) in [(37, 200), (64, 200), (100, 199), (127, 129)] {
            let proof = consistency(old, new, &mut get).unwrap().unwrap();
            for i in 0..proof.len() {
                let mut cut = proof.clone();
                cut.remove(i);
                assert!(!verify_consistency((old, &nodes.root(old)), (new, &nodes.root(new)), &cut));
            }
        }
    }

    #[test]
    fn e_16_an_inner_node_cannot_pass_for_a_leaf() {
        let nodes = Nodes::of(4);
        let children = [nodes.get(0, 0).unwrap(), nodes.get(0, 1).unwrap()].concat();
        let forged = leaf_hash(&children);
        assert_ne!(forged, nodes.get(1, 0).unwrap(), "leaves and nodes have prefixes of their own");
        let root = nodes.root(4);
        assert!(!verify_inclusion(&forged, 0, 2, &[nodes.get(1, 1).unwrap()], &root));
        let mut prefixed = vec![1];
        prefixed.extend_from_slice(&children);
        assert_ne!(leaf_hash(&prefixed), nodes.get(1, 0).unwrap());
    }
}
