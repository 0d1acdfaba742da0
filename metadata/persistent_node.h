// The nodes of a PersistentTable (metadata/persistent_table.h): counted, shared, changed in place
// only while they have one holder. Leaf: an entry. Branch: up to 32 children, one for each set bit.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <new>
#include <utility>

namespace chronik::metadata {

template <class Entry>
struct PersistentNode {
  explicit PersistentNode(bool leaf) : is_leaf(leaf) {}

  struct Leaf;
  struct Branch;

  Leaf* leaf() { return static_cast<Leaf*>(this); }
  const Leaf* leaf() const { return static_cast<const Leaf*>(this); }
  Branch* branch() { return static_cast<Branch*>(this); }
  const Branch* branch() const { return static_cast<const Branch*>(this); }

  void retain() { references.fetch_add(1, std::memory_order_relaxed); }
  /// Acquire pairs with the release of whoever let go last: its reads are over before we write.
  bool is_unique() const { return references.load(std::memory_order_acquire) == 1; }
  static void release(PersistentNode* node);
  /// Replaces `slot` by a copy of its own unless it already is the only holder.
  static void make_unique(PersistentNode*& slot);

  std::atomic<std::uint32_t> references{1};
  const bool is_leaf;
};

// Entries whose 64-bit hashes are equal form a chain; there is almost never more than one.
template <class Entry>
struct PersistentNode<Entry>::Leaf : PersistentNode {
  Leaf(std::uint64_t h, Entry e) : PersistentNode(true), hash(h), entry(std::move(e)) {}

  std::uint64_t hash;
  PersistentNode* next = nullptr;
  Entry entry;
};

// The children lie behind it in memory, in bit order. capacity >= count().
template <class Entry>
struct alignas(void*) PersistentNode<Entry>::Branch : PersistentNode {
  explicit Branch(std::uint32_t slots) : PersistentNode(false), capacity(slots) {}

  unsigned count() const { return static_cast<unsigned>(std::popcount(bitmap)); }
  unsigned position(std::uint32_t bit) const {
    return static_cast<unsigned>(std::popcount(bitmap & (bit - 1)));
  }
  PersistentNode** children() { return reinterpret_cast<PersistentNode**>(this + 1); }
  PersistentNode* const* children() const {
    return reinterpret_cast<PersistentNode* const*>(this + 1);
  }
  PersistentNode*& child(std::uint32_t bit) { return children()[position(bit)]; }
  const PersistentNode* child(std::uint32_t bit) const { return children()[position(bit)]; }

  static Branch* make(unsigned slots) {
    const std::uint32_t capacity = std::bit_ceil(slots < 2 ? 2u : slots);
    // NOLINTNEXTLINE(bugprone-sizeof-expression): its slots hold pointers
    void* memory = ::operator new(sizeof(Branch) + capacity * sizeof(PersistentNode*));
    return new (memory) Branch(capacity);
  }
  /// Frees the node alone, not what it holds.
  static void free(Branch* branch) {
    branch->~Branch();
    ::operator delete(branch);
  }

  /// Precondition: `slot` is a unique branch without `bit`. Takes the reference of `child` over.
  static void insert(PersistentNode*& slot, std::uint32_t bit, PersistentNode* child) {
    Branch* branch = slot->branch();
    const unsigned count = branch->count();
    if (count == branch->capacity) {
      Branch* larger = make(count + 1);
      larger->bitmap = branch->bitmap;
      for (unsigned i = 0; i < count; ++i) larger->children()[i] = branch->children()[i];
      free(branch);
      slot = branch = larger;
    }
    const unsigned at = branch->position(bit);
    PersistentNode** children = branch->children();
    for (unsigned i = count; i > at; --i) children[i] = children[i - 1];
    children[at] = child;
    branch->bitmap |= bit;
  }

  std::uint32_t bitmap = 0;
  std::uint32_t capacity;
};

template <class Entry>
void PersistentNode<Entry>::release(PersistentNode* node) {
  while (node != nullptr && node->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    PersistentNode* next = nullptr;
    if (node->is_leaf) {
      next = node->leaf()->next;
      delete node->leaf();
    } else {
      Branch* branch = node->branch();
      for (unsigned i = 0; i < branch->count(); ++i) release(branch->children()[i]);
      Branch::free(branch);
    }
    node = next;
  }
}

template <class Entry>
void PersistentNode<Entry>::make_unique(PersistentNode*& slot) {
  // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): a branch has a node in each slot it counts
  if (slot->is_unique()) return;
  PersistentNode* copy;
  if (slot->is_leaf) {
    const Leaf* from = slot->leaf();
    Leaf* leaf = new Leaf(from->hash, from->entry);
    leaf->next = from->next;
    if (leaf->next != nullptr) leaf->next->retain();
    copy = leaf;
  } else {
    Branch* from = slot->branch();
    Branch* branch = Branch::make(from->count());
    branch->bitmap = from->bitmap;
    for (unsigned i = 0; i < from->count(); ++i) {
      branch->children()[i] = from->children()[i];
      branch->children()[i]->retain();
    }
    copy = branch;
  }
  release(std::exchange(slot, copy));
}

}  // namespace chronik::metadata
