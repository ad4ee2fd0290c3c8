/// The table of all methods, built or not: id, module and the paper's title, one a line.
///
/// It is the order in which the catalogue lists them: by module, then by id.
let plannedMethods = """
  dora-factored | Adaptation | Scaling DoRA: High-Rank Adaptation via Factored Norms and Fused Kernels
  eva | Adaptation | One Initialization to Rule them All: Fine-tuning via Explained Variance Adaptation
  fedsvd | Adaptation | FedSVD: Adaptive Orthogonalization for Private Federated Learning with LoRA
  flora-tucker | Adaptation | FLoRA: Low-Rank Core Space for N-dimension
  lambda-orthogonality | Adaptation | λ-Orthogonality Regularization for Compatible Representation Learning
  lora-limits | Adaptation | Computational Limits of Low-Rank Adaptation (LoRA) for Transformer-Based Models
  sara | Adaptation | SaRA: High-Efficient Diffusion Model Fine-tuning with Progressive Sparse Low-Rank Adaptation
  scl-mgsm | Adaptation | Enhancing Pretrained Model-based Continual Representation Learning via Guided Random \
  Projection
  sculpting-subspaces | Adaptation | Sculpting Subspaces: Constrained Full Fine-Tuning in LLMs for Continual Learning
  colide | CausalGraphs | CoLiDE: Concomitant Linear DAG Estimation
  one-connection | CausalGraphs | One-connection rule for structural equation models
  ila-sdp | Clustering | Likelihood Adjusted Semidefinite Programs for Clustering Heterogeneous Data
  local-rom | Clustering | Physics-informed cluster analysis and a priori efficiency criterion for the construction of \
  local reduced-order bases
  concat-svd | Compression | Concatenated Matrix SVD: Compression Bounds, Incremental Approximation, and \
  Error-Constrained Clustering
  cospadi | Compression | COSPADI: Compressing LLMs via Calibration-Guided Sparse Dictionary Learning
  fwsvd | Compression | Language model compression with weighted low-rank factorization
  gg-prior | Compression | It Takes a Good Model to Train a Good Model: Generalized Gaussian Priors for Optimized LLMs
  m-fac | Compression | M-FAC: Efficient Matrix-Free Approximations of Second-Order Information
  modhifi | Compression | ModHiFi: Identifying High Fidelity predictive components for Model Modification
  qera | Compression | QERA: an Analytical Framework for Quantization Error Reconstruction
  random-pruning | Compression | The Unreasonable Effectiveness of Random Pruning: Return of the Most Naive Baseline \
  for Sparse Training
  random-search-sparse | Compression | Random Search as a Baseline for Sparse Neural Network Architecture Search
  saes-svd | Compression | SAES-SVD: Self-Adaptive Suppression of Accumulated and Local Errors for SVD-based LLM \
  Compression
  structured-ffn | Compression | Building on Efficient Foundations: Effectively Training LLMs with Structured \
  Feedforward Layers
  trp | Compression | Trained Rank Pruning for Efficient Deep Neural Networks
  welore | Compression | From GaLore to WeLore: How Low-Rank Weights Non-uniformly Emerge from Low-Rank Gradients
  holobeam | Control | HoloBeam: Learning Optimal Beamforming in Far-Field Holographic Metasurface Transceivers
  integral-rl | Control | Impact of Computation in Integral Reinforcement Learning for Continuous-Time Control
  policy-gradient | Control | Stochastic Policy Gradient Methods: Improved Sample Complexity for Fisher-non-degenerate \
  Policies
  data-diet | DataSelection | Deep Learning on a Data Diet: Finding Important Examples Early in Training
  dataset-distillation | DataSelection | Efficient Dataset Distillation through Alignment with Smooth and High-Quality \
  Expert Trajectories
  interaction-basis | Diagnostics | Using Degeneracy in the Loss Landscape for Mechanistic Interpretability
  intrinsic-dimension | Diagnostics | Measuring the Intrinsic Dimension of Objective Landscapes
  weibull | Diagnostics | A Two-Parameter Weibull Framework for Diagnosing Transformer Weight Distributions
  dale-langevin | Diffusion | Dale meets Langevin: A Multiplicative Denoising Diffusion Model
  ddo | Diffusion | Direct Discriminative Optimization: Your Likelihood-Based Visual Generative Model is Secretly a \
  GAN Discriminator
  diffusion-concentration | Diffusion | Concentration of Measure for Distributions Generated via Diffusion Models
  diffusion-subspace | Diffusion | Diffusion Models Learn Low-Dimensional Distributions via Subspace Clustering
  pfgmpp | Diffusion | PFGM++: Unlocking the Potential of Physics-Inspired Generative Models
  radiodiff-3d | Diffusion | RadioDiff-3D: A 3D×3D Radio Map Dataset and Generative Diffusion Based Benchmark for 6G \
  Environment-Aware Communication
  rotation-drag | Diffusion | RotationDrag: Point-based Image Editing with Rotated Diffusion Features
  score-estimation | Diffusion | Neural Network-Based Score Estimation in Diffusion Models: Optimization and \
  Generalization
  shortest-path-diffusion | Diffusion | Image generation with shortest path diffusion
  singular-likelihood | Diffusion | A likelihood approach to nonparametric estimation of a singular distribution using \
  deep generative models
  co2 | Distributed | CO2: Efficient Distributed Training with Full Communication-Computation Overlap
  econtrol | Distributed | EControl: Fast Distributed Optimization with Compression and Error Control
  ef21-weighted | Distributed | Error Feedback Reloaded: From Quadratic to Arithmetic Mean of Smoothness Constants
  fedspeed | Distributed | FedSpeed: Larger Local Interval, Less Communication Round, and Higher Generalization Accuracy
  flag-aggregator | Distributed | Flag Aggregator: Scalable Distributed Training under Failures and Augmented Losses \
  using Convex Optimization
  one-byte | Distributed | Just One Byte (per gradient): A Note on Low-Bandwidth Decentralized Language Model \
  Finetuning Using Shared Randomness
  single-merging | Distributed | A Single Merging Suffices: Recovering Server-based Learning Performance in \
  Decentralized Learning
  attention-svm | Dynamics | Transformers as Support Vector Machines
  bandlimited-random | Dynamics | How Powerful are Shallow Neural Networks with Bandlimited Random Weights?
  benign-overfitting | Dynamics | Benign Overfitting and Grokking in ReLU Networks for XOR Cluster Data
  convex-relu | Dynamics | Efficient Global Optimization of Two-layer ReLU Networks: Quadratic-time Algorithms and \
  Adversarial Training
  deep-linear-dynamics | Dynamics | Exact solutions to the nonlinear dynamics of learning in deep linear neural networks
  gamp-rie | Dynamics | Bayes-optimal learning of an extensive-width neural network from quadratically many samples
  generalization-dynamics | Dynamics | High-dimensional dynamics of generalization error in neural networks
  geometric-blind-spot | Dynamics | Supervised Learning Has a Necessary Geometric Blind Spot: Theory, Consequences, \
  and Minimal Repair
  grokking-features | Dynamics | Provable Scaling Laws of Feature Emergence from Learning Dynamics of Grokking
  hierarchical-polynomials | Dynamics | Learning Hierarchical Polynomials with Three-Layer Neural Networks
  neural-collapse | Dynamics | Neural Collapse in Deep Linear Networks: From Balanced to Imbalanced Data
  neural-tangent-kernel | Dynamics | Neural Tangent Kernel: Convergence and Generalization in Neural Networks
  random-teachers | Dynamics | Random Teachers are Good Teachers
  rich-lazy | Dynamics | How connectivity structure shapes rich and lazy learning in neural circuits
  self-normalizing | Dynamics | Self-Normalizing Neural Networks
  sgd-stability | Dynamics | The Implicit Regularization of Dynamical Stability in Stochastic Gradient Descent
  tensor-programs | Dynamics | Scaling Limits of Wide Neural Networks with Weight Sharing: Gaussian Process Behavior, \
  Gradient Independence, and Neural Tangent Kernel Derivation
  funbat | GaussianProcesses | Functional Bayesian Tucker Decomposition for Continuous-indexed Tensor Data
  gp-hm | GaussianProcesses | Solving High Frequency and Multi-Scale PDEs with Gaussian Processes
  slim-kl | GaussianProcesses | Sparsity-Aware Distributed Learning for Gaussian Processes with Linear Multiple Kernel
  augmented-covariance | Geometry | Classification of BCI-EEG based on augmented covariance matrix
  fccov | Geometry | Fréchet Cumulative Covariance Net for Deep Nonlinear Sufficient Dimension Reduction with Random \
  Objects
  gbw-batchnorm | Geometry | Learning to Normalize on the SPD Manifold under Bures-Wasserstein Geometry
  lie-decomposition | Geometry | Lie Group Decompositions for Equivariant Neural Networks
  ponita | Geometry | Fast, Expressive SE(n) Equivariant Networks through Weight-Sharing in Position-Orientation Space
  red-psm | Imaging | RED-PSM: Regularization by Denoising of Partially Separable Models for Dynamic Imaging
  spectral-unmixing | Imaging | Effective Spectral Unmixing via Robust Representation and Learning-based Sparsity
  bootstrap-amg | LinearSolvers | Extending Bootstrap AMG for Clustering of Attributed Graphs
  convergent-graph-solver | LinearSolvers | Convergent Graph Solvers
  deep-conjugate-direction | LinearSolvers | A Deep Conjugate Direction Method for Iteratively Solving Linear Systems
  learning-to-relax | LinearSolvers | Learning to Relax: Setting Solver Parameters Across a Sequence of Linear System \
  Instances
  mode-connectivity | Merging | Landscaping Linear Mode Connectivity
  weight-matching | Merging | Analysis of Linear Mode Connectivity via Permutation-Based Weight Matching
  adversarial-sampling | NeuralOperators | Adversarial Adaptive Sampling: Unify PINN and Optimal Transport for the \
  Approximation of PDEs
  deeponet | NeuralOperators | DeepONet: Learning nonlinear operators for identifying differential equations based on \
  the universal approximation theorem of operators
  diesel-deeponet | NeuralOperators | Real-Time Prediction of Gas Flow Dynamics in Diesel Engines using a Deep Neural \
  Operator Framework
  medida-ks | NeuralOperators | Discovery of interpretable structural model errors by combining Bayesian sparse \
  regression and data assimilation: A chaotic Kuramoto-Sivashinsky test case
  medida-qg | NeuralOperators | Interpretable structural model error discovery from sparse assimilation increments \
  using spectral bias-reduced neural networks: A quasi-geostrophic turbulence test case
  mgno | NeuralOperators | MgNO: Efficient Parameterization of Linear Operators via Multigrid
  spectral-refiner | NeuralOperators | Spectral-Refiner: Fine-Tuning of Accurate Spatiotemporal Neural Operator for \
  Turbulent Flows
  augmented-lagrangian-sketch | Optimization | Constrained Optimization via Exact Augmented Lagrangian and Randomized \
  Iterative Sketching
  batch-size-learning-rate | Optimization | Learning Rates as a Function of Batch Size: A Random Matrix Theory \
  Approach to Neural Network Training
  block-coordinate-descent | Optimization | Let's Make Block Coordinate Descent Converge Faster: Faster Greedy Rules, \
  Message-Passing, Active-Set Complexity, and Superlinear Convergence
  consensus-optimization | Optimization | Gradient is All You Need?
  directional-attacks | Optimization | Optimization by Directional Attacks: Solving Problems with Neural Network \
  Surrogates
  discretisation-drift | Optimization | On discretisation drift and smoothness regularisation in neural network training
  gradient-normalized-smoothness | Optimization | Gradient-Normalized Smoothness for Optimization with Approximate \
  Hessians
  halpern-variance-reduced | Optimization | Variance Reduced Halpern Iteration for Finite-Sum Monotone Inclusions
  langevin-averaging | Optimization | Improved high-dimensional estimation with Langevin dynamics and stochastic \
  weight averaging
  last-iterate-sgd | Optimization | Revisiting the Last-Iterate Convergence of Stochastic Gradient Methods
  perceptron-logistic | Optimization | From Logistic Regression to the Perceptron Algorithm: Exploring Gradient \
  Descent with Large Step Sizes
  private-stationary | Optimization | Faster Rates of Convergence to Stationary Points in Differentially Private \
  Optimization
  small-gain-nash | Optimization | Small-Gain Nash: Certified Contraction to Nash Equilibria in Differentiable Games
  adamp | Optimizers | AdamP: Slowing Down the Slowdown for Momentum Optimizers on Scale-invariant Weights
  auon | Optimizers | AuON: A Linear-time Alternative to Semi-Orthogonal Momentum Updates
  coordinate-clipping | Optimizers | Toward Understanding Why Adam Converges Faster Than SGD for Transformers
  hyperp | Optimizers | Rethinking Language Model Scaling under Transferable Hypersphere Optimization
  saf | Optimizers | Sharpness-Aware Training for Free
  spectra | Optimizers | Enhancing LLM Training via Spectral Clipping
  symmetry-optimizers | Optimizers | Symmetry-Compatible Principle for Optimizer Design: Embeddings, LM Heads, SwiGLU \
  MLPs, and MoE Routers
  target-surrogates | Optimizers | Target-based Surrogates for Stochastic Optimization
  altmin-completion | Recovery | Low Rank Matrix Completion via Robust Alternating Minimization in Nearly Linear Time
  kronecker-sbl | Recovery | Bayesian Algorithms for Kronecker-structured Sparse Vector Recovery With Application to \
  IRS-MIMO Channel Estimation
  matrix-sensing-gd | Recovery | How Over-Parameterization Slows Down Gradient Descent in Matrix Sensing: The Curses \
  of Symmetry and Initialization
  orthogonal-dictionary | Recovery | Online Orthogonal Dictionary Learning Based on Frank-Wolfe Method
  random-support-regression | Recovery | Sparse Linear Regression is Easy on Random Supports
  subgm | Recovery | Global Convergence of Sub-gradient Method for Robust Matrix Recovery: Small Initialization, Noisy \
  Measurements, and Over-parameterization
  accuracy-curve | Robustness | Accuracy on the Curve: On the Nonlinear Correlation of ML Performance Between Data \
  Subpopulations
  bidirectional | Robustness | Bidirectional Learning for Robust Neural Networks
  dual-smoothing | Robustness | Mitigating the Curse of Dimensionality for Certified Robustness via Dual Randomized \
  Smoothing
  negative-eigenvalues | Sequences | Unlocking State-Tracking in Linear RNNs Through Negative Eigenvalues
  perturb-diagonalize | Sequences | Robustifying State-space Models for Long Sequences via Approximate Diagonalization
  s4d | Sequences | On the Parameterization and Initialization of Diagonal State Space Models
  dpp-least-squares | Sketching | Weighted least-squares approximation with determinantal point processes and \
  generalized volume sampling
  linf-regression | Sketching | A Nearly-Optimal Bound for Fast Regression with ℓ∞ Guarantee
  lp-sensitivity | Sketching | Sharper Bounds for ℓp Sensitivity Sampling
  streaming-eigenvector | Sketching | Approximating the Top Eigenvector in Random Order Streams
  log-bessel | SpecialFunctions | Accurate Computation of the Logarithm of Modified Bessel Functions on GPUs
  light-sb | Transport | Light Schrödinger Bridge
  sinkhorn-newton | Transport | Accelerating Sinkhorn Algorithm with Sparse Newton Iterations
  sliced-wasserstein-cv | Transport | Sliced Wasserstein Estimation with Control Variates
  """
