// SPDX-License-Identifier: Apache-2.0
#include "tracking/transfers.h"

#include <utility>

#include "base/text.h"
#include "blob/remote.h"

namespace ciclo::tracking {
namespace {

// What binds an upload to the file that it was begun for.
std::string purpose_of(const Context& context, const ArtifactPath& path) {
  return context.workspace + "\n" + path.str();
}

blob::Direct* direct_of(blob::Store& blobs) {
  blob::Remote* const remote = blob::remote_of(blobs);
  return remote == nullptr ? nullptr : remote->direct();
}

}  // namespace

bool Transfers::are_possible() const { return direct_of(blobs_) != nullptr; }

Result<blob::Direct*> Transfers::direct() const {
  if (blob::Direct* direct = direct_of(blobs_); direct != nullptr) return direct;
  return unimplemented("the store of this server's files is not one that clients reach themselves");
}

Result<blob::Direct::Upload> Transfers::begin(const Context& context, const ArtifactPath& path,
                                              std::int64_t parts) const {
  TRY(blob::Direct* const direct, this->direct());
  return direct->begin(purpose_of(context, path), parts);
}

Result<void> Transfers::complete(const Context& context, const ArtifactPath& path,
                                 std::string_view id,
                                 std::span<const blob::Direct::Part> parts) const {
  TRY(blob::Direct* const direct, this->direct());
  const std::string purpose = purpose_of(context, path);
  TRY(const auto committed, direct->complete(purpose, id, parts));
  const ArtifactLink named{path, committed.hash, committed.size};
  TRY(artifacts_.link(context, std::span(&named, 1)));
  return direct->forget(purpose, id);
}

Result<void> Transfers::abort(const Context& context, const ArtifactPath& path,
                              std::string_view id) const {
  TRY(blob::Direct* const direct, this->direct());
  return direct->abort(purpose_of(context, path), id);
}

Result<Transfers::Download> Transfers::download(const Context& context, const ArtifactPath& path,
                                                std::int64_t expires_s) const {
  TRY(blob::Direct* const direct, this->direct());
  TRY(const auto file, artifacts_.stat(context, path));
  if (file.is_directory) {
    return invalid_argument("artifact " + quoted(path.str()) + " is a directory, not a file");
  }
  TRY(auto url, direct->download_url(file.hash, path.file_name(), expires_s));
  return Download{std::move(url), file.size};
}

}  // namespace ciclo::tracking
