// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

struct curl_slist;

// What clients over libcurl have in common: http/client.cc and blob/s3_client.cc.

namespace ciclo {

// libcurl's easy handles, lent to one transfer at a time. A handle keeps its connections, so that
// reusing handles reuses connections. Safe to share between threads.
class CurlHandles {
 public:
  // Keeps at most `kept_max` handles that are not lent; any number may be lent at a time.
  explicit CurlHandles(std::size_t kept_max);
  ~CurlHandles();
  CurlHandles(const CurlHandles&) = delete;
  CurlHandles& operator=(const CurlHandles&) = delete;

  // A handle without options. At the end of its life it is given back; its options go, its
  // connections stay. The pool must outlive it.
  class Lent {
   public:
    Lent(CurlHandles& pool, void* handle) : pool_(pool), handle_(handle) {}
    ~Lent();
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    // A CURL*; null when there is no memory for one.
    void* get() const { return handle_; }

   private:
    CurlHandles& pool_;
    void* const handle_;
  };
  Lent take();

 private:
  void give_back(void* handle);

  const std::size_t kept_max_;
  std::mutex mutex_;
  std::vector<void*> idle_;  // guarded by mutex_
};

// Lines for CURLOPT_HTTPHEADER, which must outlive the transfer.
class CurlHeaders {
 public:
  CurlHeaders() = default;
  ~CurlHeaders();
  CurlHeaders(const CurlHeaders&) = delete;
  CurlHeaders& operator=(const CurlHeaders&) = delete;
  void add(const std::string& line);
  curl_slist* list() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

}  // namespace ciclo
