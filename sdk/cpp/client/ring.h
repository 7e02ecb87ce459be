// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ciclo::client {

// A bounded queue for many threads that push and one that pops: D. Vyukov's "bounded MPMC queue"
// (1024cores.net) with the consumer's position owned by one thread. Each cell carries a sequence
// number that tells whose turn it is: equal to the position that may write it, or that plus one
// when it may be read. Nothing is allocated after construction and nobody ever waits: a push into
// a full ring, or a pop of an empty one, says so at once. Items leave in the order in which their
// pushes took a position.
//
// Cells are reused: `fill` and `take` get a reference to the item in its cell, so that a large item
// is written in place and only as far as it is used.
template <class T>
class Ring {
 public:
  // `capacity` is rounded up to a power of two, at least 2.
  explicit Ring(std::size_t capacity)
      : cells_(std::bit_ceil(capacity < 2 ? std::size_t{2} : capacity)), mask_(cells_.size() - 1) {
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      cells_[i].sequence.store(i, std::memory_order_relaxed);
    }
  }

  // False, and `fill` is not called, when the ring is full. Any thread.
  template <class Fill>
  bool try_push(Fill&& fill) {
    std::uint64_t position = head_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[position & mask_];
      const std::uint64_t sequence = cell.sequence.load(std::memory_order_acquire);
      if (sequence == position) {
        if (head_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
          fill(cell.item);
          cell.sequence.store(position + 1, std::memory_order_release);
          return true;
        }
      } else if (sequence < position) {
        return false;
      } else {
        position = head_.load(std::memory_order_relaxed);
      }
    }
  }

  // False when the next item is not there yet, also while its push is under way. One thread only.
  template <class Take>
  bool try_pop(Take&& take) {
    const std::uint64_t position = tail_.load(std::memory_order_relaxed);
    Cell& cell = cells_[position & mask_];
    if (cell.sequence.load(std::memory_order_acquire) != position + 1) return false;
    take(cell.item);
    cell.sequence.store(position + cells_.size(), std::memory_order_release);
    tail_.store(position + 1, std::memory_order_relaxed);
    return true;
  }

  // Pushes that took a position, and pops: counts from the start. What a thread has pushed is
  // counted when it asks.
  std::uint64_t pushed() const { return head_.load(std::memory_order_relaxed); }
  std::uint64_t popped() const { return tail_.load(std::memory_order_relaxed); }
  std::size_t capacity() const { return cells_.size(); }

 private:
  static constexpr std::size_t kCacheLine = 64;

  struct alignas(kCacheLine) Cell {
    std::atomic<std::uint64_t> sequence;
    T item;
  };

  std::vector<Cell> cells_;
  const std::uint64_t mask_;
  // Apart from one another, for producers write the one and the consumer the other.
  alignas(kCacheLine) std::atomic<std::uint64_t> head_{0};
  alignas(kCacheLine) std::atomic<std::uint64_t> tail_{0};
};

}  // namespace ciclo::client
