// PersistentTable: an immutable-by-sharing hash table. Copying one costs a pointer; a copy that is
// then changed shares all it did not touch with the original, which never sees the change. It is
// what an Image is made of: a change among a million entries copies a handful of small nodes.
//
// A hash trie of up to 32 children a node. A node may be changed in place exactly when every
// reference count on the path from this table's root to it is 1, so a batch of changes copies each
// node at most once. Different tables may be used on different threads at the same time, also when
// they share nodes (counts are atomic, shared nodes are never written); one table is as thread safe
// as an int.
//
// Traits: `using Key = ...` (cheap to copy, e.g. std::string_view), `static Key key(const Entry&)`,
// `static std::uint64_t hash(Key)`, equality by ==. Order of for_each: by hash, equal for equal
// contents up to entries of equal hash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/check.h"
#include "metadata/persistent_node.h"

namespace chronik::metadata {

template <class Entry, class Traits>
class PersistentTable {
 public:
  using Key = typename Traits::Key;

  PersistentTable() = default;
  PersistentTable(const PersistentTable& other) : root_(other.root_), size_(other.size_) {
    if (root_ != nullptr) root_->retain();
  }
  PersistentTable(PersistentTable&& other) noexcept
      : root_(std::exchange(other.root_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  PersistentTable& operator=(PersistentTable other) noexcept {
    std::swap(root_, other.root_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~PersistentTable() {
    if (root_ != nullptr) Node::release(root_);
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// Valid as long as a table that holds the entry is neither changed nor destroyed.
  const Entry* find(Key key) const {
    const std::uint64_t hash = Traits::hash(key);
    const Node* node = root_;
    for (unsigned shift = 0; node != nullptr; shift += bits_per_level) {
      if (node->is_leaf) return find_in_chain(node->leaf(), hash, key);
      const Branch* branch = node->branch();
      const std::uint32_t bit = bit_of(hash, shift);
      if ((branch->bitmap & bit) == 0) return nullptr;
      node = branch->child(bit);
    }
    return nullptr;
  }
  bool contains(Key key) const { return find(key) != nullptr; }

  /// Inserts, or replaces the entry of the same key. Returns whether it is new.
  bool put(Entry entry) {
    const std::uint64_t hash = Traits::hash(Traits::key(entry));
    const bool added = put_at(root_, hash, 0, std::move(entry));
    size_ += added ? 1 : 0;
    return added;
  }

  /// The entry to be changed in place (never its key), or null. Valid until the next change.
  Entry* find_mutable(Key key) {
    if (!contains(key)) return nullptr;
    const std::uint64_t hash = Traits::hash(key);
    Node** slot = &root_;
    for (unsigned shift = 0;; shift += bits_per_level) {
      Node::make_unique(*slot);
      if ((*slot)->is_leaf) break;
      Branch* branch = (*slot)->branch();
      slot = &branch->child(bit_of(hash, shift));
    }
    while (!(Traits::key((*slot)->leaf()->entry) == key)) {
      Leaf* leaf = (*slot)->leaf();
      Node::make_unique(leaf->next);
      slot = &leaf->next;
    }
    return &(*slot)->leaf()->entry;
  }

  /// Returns whether there was one.
  bool erase(Key key) {
    if (!contains(key)) return false;
    erase_at(root_, Traits::hash(key), 0, key);
    --size_;
    return true;
  }

  /// Calls visit(const Entry&) for each.
  template <class Visit>
  void for_each(Visit&& visit) const {
    if (root_ != nullptr) visit_node(root_, visit);
  }

  /// Goes over the entries in the order of for_each, a few at a time. The table must live, and stay
  /// unchanged, as long as its cursor.
  class Cursor {
   public:
    explicit Cursor(const PersistentTable& table) {
      if (table.root_ != nullptr) path_.push_back({table.root_, 0});
    }
    /// Null at the end.
    const Entry* next() {
      while (!path_.empty()) {
        Step& step = path_.back();
        if (step.node->is_leaf) {
          const Leaf* leaf = step.node->leaf();
          if (leaf->next != nullptr) {
            step.node = leaf->next;
          } else {
            path_.pop_back();
          }
          return &leaf->entry;
        }
        const Branch* branch = step.node->branch();
        if (step.child == branch->count()) {
          path_.pop_back();
        } else {
          path_.push_back({branch->children()[step.child++], 0});
        }
      }
      return nullptr;
    }

   private:
    struct Step {
      const PersistentNode<Entry>* node;
      unsigned child;  // of a branch: the next one to visit
    };
    std::vector<Step> path_;
  };

  /// True when both share one root: equal without looking (unequal says nothing).
  bool same_as(const PersistentTable& other) const { return root_ == other.root_; }

 private:
  static constexpr unsigned bits_per_level = 5;

  using Node = PersistentNode<Entry>;
  using Leaf = typename Node::Leaf;
  using Branch = typename Node::Branch;

  // Beyond the hash's bits the shift wraps to nothing: equal hashes meet in a leaf before that.
  static std::uint32_t bit_of(std::uint64_t hash, unsigned shift) {
    CHECK(shift < 64);
    return std::uint32_t{1} << ((hash >> shift) & 31);
  }

  static const Leaf* behind(const Leaf* leaf) {
    return leaf->next == nullptr ? nullptr : leaf->next->leaf();
  }

  static const Entry* find_in_chain(const Leaf* leaf, std::uint64_t hash, Key key) {
    if (leaf->hash != hash) return nullptr;
    for (; leaf != nullptr; leaf = behind(leaf)) {
      if (Traits::key(leaf->entry) == key) return &leaf->entry;
    }
    return nullptr;
  }

  static bool put_at(Node*& slot, std::uint64_t hash, unsigned shift, Entry&& entry) {
    if (slot == nullptr) {
      slot = new Leaf(hash, std::move(entry));
      return true;
    }
    if (!slot->is_leaf) {
      Node::make_unique(slot);
      const std::uint32_t bit = bit_of(hash, shift);
      Branch* branch = slot->branch();
      if ((branch->bitmap & bit) != 0) {
        return put_at(branch->child(bit), hash, shift + bits_per_level, std::move(entry));
      }
      Branch::insert(slot, bit, new Leaf(hash, std::move(entry)));
      return true;
    }
    Leaf* leaf = slot->leaf();
    if (leaf->hash != hash) {
      // Two hashes meet: a branch takes the leaf down one level, and the entry goes on from there.
      Branch* branch = Branch::make(2);
      branch->bitmap = bit_of(leaf->hash, shift);
      branch->children()[0] = leaf;
      slot = branch;
      return put_at(slot, hash, shift, std::move(entry));
    }
    if (leaf->next == nullptr && Traits::key(leaf->entry) == Traits::key(entry)) {
      Node::release(std::exchange(slot, new Leaf(hash, std::move(entry))));
      return false;
    }
    Node::make_unique(slot);
    return put_in_chain(slot->leaf(), std::move(entry));
  }

  /// Precondition: `leaf` is unique.
  static bool put_in_chain(Leaf* leaf, Entry&& entry) {
    for (;;) {
      if (Traits::key(leaf->entry) == Traits::key(entry)) {
        leaf->entry = std::move(entry);
        return false;
      }
      if (leaf->next == nullptr) {
        leaf->next = new Leaf(leaf->hash, std::move(entry));
        return true;
      }
      Node::make_unique(leaf->next);
      leaf = leaf->next->leaf();
    }
  }

  /// Precondition: the key is below `slot`. Leaves null where nothing remains, and a lone leaf
  /// where a branch would hold only that.
  static void erase_at(Node*& slot, std::uint64_t hash, unsigned shift, Key key) {
    Node::make_unique(slot);
    if (slot->is_leaf) return erase_in_chain(slot, key);
    Branch* branch = slot->branch();
    const std::uint32_t bit = bit_of(hash, shift);
    const unsigned at = branch->position(bit);
    Node** children = branch->children();
    erase_at(children[at], hash, shift + bits_per_level, key);
    unsigned count = branch->count();
    if (children[at] == nullptr) {
      for (unsigned i = at; i + 1 < count; ++i) children[i] = children[i + 1];
      branch->bitmap &= ~bit;
      --count;
    }
    if (count > 1 || (count == 1 && !children[0]->is_leaf)) return;
    slot = count == 1 ? children[0] : nullptr;
    Branch::free(branch);
  }

  /// Precondition: `slot` is a unique leaf whose chain holds the key.
  static void erase_in_chain(Node*& slot, Key key) {
    Node** at = &slot;
    while (!(Traits::key((*at)->leaf()->entry) == key)) {
      Node*& next = (*at)->leaf()->next;
      Node::make_unique(next);
      at = &next;
    }
    Leaf* gone = (*at)->leaf();
    *at = gone->next;
    gone->next = nullptr;
    Node::release(gone);
  }

  template <class Visit>
  static void visit_node(const Node* node, Visit& visit) {
    if (!node->is_leaf) {
      const Branch* branch = node->branch();
      for (unsigned i = 0; i < branch->count(); ++i) visit_node(branch->children()[i], visit);
      return;
    }
    for (const Leaf* leaf = node->leaf(); leaf != nullptr; leaf = behind(leaf)) {
      visit(leaf->entry);
    }
  }

  Node* root_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace chronik::metadata
