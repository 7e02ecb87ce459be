// SPDX-License-Identifier: Apache-2.0
#include "app/webhook_ports.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "http/address.h"
#include "http/client.h"

namespace ciclo::app {
namespace {

constexpr std::size_t kAnswerBytesMax = 64 << 10;  // more is read and dropped
constexpr std::int64_t kRetryAfterMax = 86'400;

// How a secret is stored: the way it is kept, then the text.
constexpr std::string_view kPlain = "plain:";
constexpr std::string_view kSealed = "aes-256-gcm:";

http::ClientOptions client_options(const WebhookReach& reach) {
  http::ClientOptions options;
  options.connect_timeout = reach.timeout;
  options.timeout = reach.timeout;
  options.whole_timeout = reach.timeout;
  options.reach = reach.allow_private ? http::Reach::kAny : http::Reach::kPublic;
  options.attempts_max = 1;
  options.ca_file = reach.ca_file;
  return options;
}

// The rest of a URL is often what lets its holder in, and errors are logged and listed.
Error without_url(Error error, const std::string& url, const http::Origin& origin) {
  const std::size_t at = error.message.find(url);
  if (at != std::string::npos) {
    error.message.replace(at, url.size(), origin.scheme + "://" + origin.host);
  }
  return error;
}

class HttpSender final : public events::Sender {
 public:
  HttpSender(Random& random, const WebhookReach& reach)
      : reach_(reach), client_(http::Client::create(random, client_options(reach))) {}

  Result<void> check(const std::string& url) override {
    TRY(const http::Origin origin, origin_of(url));
    if (reach_.allow_private) return {};
    TRY(const auto addresses, http::resolve(origin.host));
    for (const auto& address : addresses) {
      if (http::is_public(address)) continue;
      return invalid_argument("the host " + quoted(origin.host) +
                              " of a webhook's URL has the address " + http::text_of(address) +
                              ", which is not public; " + "webhooks.allow_private allows it");
    }
    return {};
  }

  // Here the client looks at each address that it connects to, so that a name which now leads
  // elsewhere than when it was checked is of no use.
  Result<events::PostAnswer> post(const events::Post& post) override {
    TRY(const http::Origin origin, origin_of(post.url));
    http::ClientRequest request;
    request.method = "POST";
    request.url = post.url;
    for (const auto& [name, value] : post.headers) request.headers.add(name, value);
    request.body = post.body;
    events::PostAnswer answer;
    const auto response = client_->stream(request, [&](std::string_view piece) -> Result<void> {
      answer.body.append(piece.substr(0, kAnswerBytesMax - answer.body.size()));
      return {};
    });
    if (!response.ok()) return without_url(response.error(), post.url, origin);
    answer.status = response->status;
    if (const auto asked = parse_int(response->headers.get("Retry-After")); asked) {
      answer.retry_after =
          std::chrono::seconds(std::clamp<std::int64_t>(*asked, 0, kRetryAfterMax));
    }
    return answer;
  }

 private:
  Result<http::Origin> origin_of(const std::string& url) const {
    TRY(auto origin, http::parse_origin(url));
    const bool may = origin.scheme == "https" || (origin.scheme == "http" && reach_.allow_http);
    if (may) return origin;
    return invalid_argument("invalid scheme " + quoted(origin.scheme) + " of a webhook's URL: " +
                            "expected https" + (reach_.allow_http ? " or http" : ""));
  }

  const WebhookReach reach_;
  const std::unique_ptr<http::Client> client_;
};

class KeyedSecrets final : public events::Secrets {
 public:
  KeyedSecrets(Random& random, std::optional<http::SealKey> key)
      : random_(random), key_(std::move(key)) {}

  Result<std::string> seal(std::string_view secret, std::string_view name) override {
    if (!key_) return std::string(kPlain) + std::string(secret);
    TRY(const auto sealed, key_->seal(secret, name, random_));
    return std::string(kSealed) + sealed;
  }

  Result<std::string> open(std::string_view sealed, std::string_view name) override {
    if (sealed.starts_with(kPlain)) return std::string(sealed.substr(kPlain.size()));
    if (!sealed.starts_with(kSealed)) {
      return data_loss("the secret of webhook " + std::string(name) + " is stored in no known way");
    }
    if (!key_) {
      return failed_precondition("the secret of webhook " + std::string(name) +
                                 " is encrypted: webhooks.secret_key is needed to sign with it");
    }
    return key_->open(sealed.substr(kSealed.size()), name);
  }

  std::string sign(std::string_view secret, std::string_view text) override {
    return http::base64(http::hmac_sha256(secret, text));
  }

 private:
  Random& random_;
  const std::optional<http::SealKey> key_;
};

}  // namespace

std::unique_ptr<events::Sender> webhook_sender(Random& random, const WebhookReach& reach) {
  return std::make_unique<HttpSender>(random, reach);
}

std::unique_ptr<events::Secrets> webhook_secrets(Random& random, std::optional<http::SealKey> key) {
  return std::make_unique<KeyedSecrets>(random, std::move(key));
}

}  // namespace ciclo::app
