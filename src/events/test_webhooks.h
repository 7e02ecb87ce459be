// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "events/webhook_types.h"

// For tests: webhooks without a network and without keys.

namespace ciclo::events {

// Remembers posts and answers as it is told, 200 when it is told nothing. Used by one thread at a
// time.
class SimSender final : public Sender {
 public:
  Result<void> check(const std::string& url) override {
    if (url.starts_with("https://")) return {};
    return invalid_argument("the URL " + url + " must begin with https://");
  }
  Result<PostAnswer> post(const Post& post) override {
    posts.push_back(post);
    if (during) std::exchange(during, {})();
    if (answers.empty()) return PostAnswer{200, "thanks", {}};
    auto answer = std::move(answers.front());
    answers.pop_front();
    return answer;
  }

  std::vector<Post> posts;
  std::deque<Result<PostAnswer>> answers;
  std::function<void()> during;  // called once, while the next post is under way
};

// "sealed(NAME):SECRET"; signs with "SECRET|TEXT".
class SimSecrets final : public Secrets {
 public:
  Result<std::string> seal(std::string_view secret, std::string_view name) override {
    return prefix(name) + std::string(secret);
  }
  Result<std::string> open(std::string_view sealed, std::string_view name) override {
    if (is_lost || !sealed.starts_with(prefix(name))) return data_loss("sealed for another");
    return std::string(sealed.substr(prefix(name).size()));
  }
  std::string sign(std::string_view secret, std::string_view text) override {
    return std::string(secret) + "|" + std::string(text);
  }

  bool is_lost = false;  // the key is: nothing opens

 private:
  static std::string prefix(std::string_view name) { return "sealed(" + std::string(name) + "):"; }
};

}  // namespace ciclo::events
