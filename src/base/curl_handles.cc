// SPDX-License-Identifier: Apache-2.0
#include "base/curl_handles.h"

#include <curl/curl.h>

namespace ciclo {

// libcurl wants to be set up once per process, before threads use it.
CurlHandles::CurlHandles(std::size_t kept_max) : kept_max_(kept_max) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

CurlHandles::~CurlHandles() {
  for (CURL* handle : idle_) curl_easy_cleanup(handle);
}

CurlHandles::Lent CurlHandles::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      CURL* const handle = idle_.back();
      idle_.pop_back();
      return {*this, handle};
    }
  }
  return {*this, curl_easy_init()};
}

CurlHandles::Lent::~Lent() {
  if (handle_ != nullptr) pool_.give_back(handle_);
}

void CurlHandles::give_back(void* handle) {
  curl_easy_reset(handle);
  {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kept_max_) {
      idle_.push_back(handle);
      return;
    }
  }
  curl_easy_cleanup(handle);  // closes connections
}

CurlHeaders::~CurlHeaders() { curl_slist_free_all(list_); }

void CurlHeaders::add(const std::string& line) { list_ = curl_slist_append(list_, line.c_str()); }

}  // namespace ciclo
