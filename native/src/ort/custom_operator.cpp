#include "ort/custom_operator.hpp"

#include <algorithm>
#include <limits>
#include <mutex>
#include <new>

#include "ort/operators/list.hpp"

namespace us::ort {
namespace {

/// What ONNX Runtime knows as an operator.
struct RegisteredOperator : CustomOp {
  const OperatorDefinition* definition;
  const Api* api;
};

/// What ONNX Runtime knows as a kernel.
struct BoundKernel {
  const Api& api;
  std::string title;
  std::unique_ptr<OperatorKernel> kernel;
};

const RegisteredOperator& registered(const CustomOp* op) { return *static_cast<const RegisteredOperator*>(op); }

/// Nothing thrown inside may cross into ONNX Runtime.
template <typename Body>
Status* guarded(const Api& api, Body body) noexcept {
  try {
    body();
    return nullptr;
  } catch (const Failure& failure) {
    return api.CreateStatus(failure.code(), failure.what());
  } catch (const std::bad_alloc&) {
    return api.CreateStatus(kFail, "out of memory");
  } catch (const std::exception& error) {
    return api.CreateStatus(kRuntimeException, error.what());
  } catch (...) {
    return api.CreateStatus(kRuntimeException, "an unknown C++ exception");
  }
}

Status* create_kernel(const CustomOp* op, const Api* api, const KernelInfo* info, void** kernel) {
  return guarded(*api, [&] {
    const OperatorDefinition& definition = *registered(op).definition;
    const OperatorNode node(*api, op->version, definition.name, info);
    auto made = definition.create(node);
    *kernel = new BoundKernel{*api, node.title(), std::move(made)};
  });
}

Status* compute(void* kernel, KernelContext* context) {
  const BoundKernel& bound = *static_cast<const BoundKernel*>(kernel);
  return guarded(bound.api, [&] {
    try {
      bound.kernel->compute(Computation(bound.api, context));
    } catch (const Failure& failure) {
      throw Failure(bound.title + ": " + failure.what(), failure.code());
    }
  });
}

/// ONNX Runtime neither looks at the status nor releases it.
Status* infer_shapes(const CustomOp* op, ShapeInferContext* context) {
  const RegisteredOperator& self = registered(op);
  self.api->ReleaseStatus(guarded(*self.api, [&] { self.definition->infer(ShapeInference(*self.api, context)); }));
  return nullptr;
}

Characteristic characteristic(const Arity& arity, std::size_t index) {
  return arity.variadic && index + 1 == arity.count ? kVariadic : kRequired;
}

RegisteredOperator make_operator(const OperatorDefinition& definition, const Api& api, std::uint32_t table) {
  RegisteredOperator op{};
  op.definition = &definition;
  op.api = &api;
  op.version = table;
  op.GetName = [](const CustomOp* self) { return registered(self).definition->name; };
  op.GetExecutionProviderType = [](const CustomOp*) -> const char* { return nullptr; };
  op.GetInputType = [](const CustomOp*, std::size_t) { return kFloat; };
  op.GetInputTypeCount = [](const CustomOp* self) { return registered(self).definition->inputs.count; };
  op.GetOutputType = [](const CustomOp*, std::size_t) { return kFloat; };
  op.GetOutputTypeCount = [](const CustomOp* self) { return registered(self).definition->outputs.count; };
  op.KernelDestroy = [](void* kernel) { delete static_cast<BoundKernel*>(kernel); };
  op.GetInputCharacteristic = [](const CustomOp* self, std::size_t index) {
    return characteristic(registered(self).definition->inputs, index);
  };
  op.GetOutputCharacteristic = [](const CustomOp* self, std::size_t index) {
    return characteristic(registered(self).definition->outputs, index);
  };
  op.GetInputMemoryType = [](const CustomOp*, std::size_t) { return kMemoryDefault; };
  const auto one = [](const CustomOp*) { return 1; };
  op.GetVariadicInputMinArity = one;
  op.GetVariadicInputHomogeneity = one;
  op.GetVariadicOutputMinArity = one;
  op.GetVariadicOutputHomogeneity = one;
  // CreateKernel and KernelCompute stay NULL: only then are these called.
  op.CreateKernelV2 = &create_kernel;
  op.KernelComputeV2 = &compute;
  op.InferOutputShapeFn = &infer_shapes;
  op.GetStartVersion = one;
  op.GetEndVersion = [](const CustomOp*) { return std::numeric_limits<int>::max(); };
  op.GetMayInplace = definition.may_share_memory;
  op.ReleaseMayInplace = [](int*, int*) {};
  return op;
}

/// The operators for one table.
class OperatorSet {
 public:
  OperatorSet(const Api& api, std::uint32_t table) : api_(api), table_(table) {
    for (const OperatorDefinition* const definition : operator_definitions()) {
      registered_.push_back(std::make_unique<RegisteredOperator>(make_operator(*definition, api, table)));
      list_.push_back(registered_.back().get());
    }
  }

  bool is_for(const Api& api, std::uint32_t table) const { return &api == &api_ && table == table_; }
  const std::vector<const CustomOp*>& list() const { return list_; }

 private:
  const Api& api_;
  std::uint32_t table_;
  std::vector<std::unique_ptr<RegisteredOperator>> registered_;
  std::vector<const CustomOp*> list_;
};

}  // namespace

const std::vector<const CustomOp*>& custom_operators(const Api& api, std::uint32_t table) {
  // Not destroyed: a session may outlive the static objects.
  static std::mutex& mutex = *new std::mutex;
  static auto& sets = *new std::vector<std::unique_ptr<OperatorSet>>;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = std::find_if(sets.begin(), sets.end(), [&](const auto& set) { return set->is_for(api, table); });
  if (found != sets.end()) return (*found)->list();
  sets.push_back(std::make_unique<OperatorSet>(api, table));
  return sets.back()->list();
}

}  // namespace us::ort
